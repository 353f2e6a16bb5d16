"""Section 9: publication, buffering and correlation."""

import pytest
from grpc import StatusCode

from tests.conformance.clock import Clock
from tests.conformance.diagrams import draw
from tests.conformance.zeebe import Zeebe, refused, variables_of
from tests.engine.drawing import (
    awaits,
    boundary,
    catch,
    end,
    event_subprocess,
    inside,
    mapping,
    message,
    message_start,
    start,
    task,
)


def waiting(process: str, name: str) -> bytes:
    """Draw a process that waits for a message with the correlation key `key`."""
    return draw(
        process, "start > wait > end", message(name, "=key"), start=start(), wait=catch(awaits(name)), end=end()
    )


@pytest.fixture
def m(zeebe: Zeebe) -> str:
    """The message's name."""
    return zeebe.name("m")


@pytest.fixture
async def p(zeebe: Zeebe, m: str) -> str:
    """A deployed process that waits for it."""
    p = zeebe.name("p")
    await zeebe.deploy(waiting(p, m))
    return p


@pytest.mark.case(98, "d")
async def test_a_message_continues_who_waits_for_it_with_its_variables(zeebe: Zeebe, p: str, m: str) -> None:
    result = zeebe.result(p, key="k")
    await zeebe.publish(m, "k", x=1)
    assert await result == {"key": "k", "x": 1}


@pytest.mark.case(99, "d")
async def test_a_message_waits_in_the_buffer_for_its_time_to_live_and_not_without_one(
    zeebe: Zeebe, p: str, m: str
) -> None:
    await zeebe.publish(m, "k", ttl=0, x=0)
    await zeebe.publish(m, "k", x=1)
    assert await zeebe.result(p, key="k") == {"key": "k", "x": 1}


@pytest.mark.case(100, "d")
async def test_of_two_buffered_messages_the_first_is_correlated_first(zeebe: Zeebe, p: str, m: str) -> None:
    for x in range(2):
        await zeebe.publish(m, "k", x=x)
    assert [(await zeebe.result(p, key="k"))["x"] for _ in range(2)] == [0, 1]


@pytest.mark.case(101, "s")
async def test_a_number_and_its_text_are_one_correlation_key(zeebe: Zeebe, p: str, m: str) -> None:
    result = zeebe.result(p, key=123)
    await zeebe.publish(m, "123")
    assert await result == {"key": 123}


@pytest.mark.case(102, "m")
async def test_a_message_id_is_unique_per_name_and_key_while_it_is_buffered(zeebe: Zeebe, m: str) -> None:
    await zeebe.publish(m, "k", id_="once")
    await refused(zeebe.publish(m, "k", id_="once"), StatusCode.ALREADY_EXISTS, "once")
    await refused(zeebe.publish(m, "k", id_="once", ttl=0), StatusCode.ALREADY_EXISTS)
    await zeebe.publish(m, "other", id_="once")
    for ttl, id_ in ((60_000, ""), (60_000, ""), (0, "at once"), (0, "at once")):
        await zeebe.publish(m, "k", id_=id_, ttl=ttl)


@pytest.mark.case("102b", "m")
async def test_a_correlated_message_stays_in_the_buffer_and_blocks_its_id(zeebe: Zeebe, p: str, m: str) -> None:
    result = zeebe.result(p, key="k")
    await zeebe.publish(m, "k", id_="once")
    await result
    await refused(zeebe.publish(m, "k", id_="once"), StatusCode.ALREADY_EXISTS)


@pytest.mark.case(103, "d")
async def test_an_id_is_free_again_after_the_time_to_live(zeebe: Zeebe, m: str, clock: Clock) -> None:
    await zeebe.publish(m, "k", id_="once", ttl=1000)
    await refused(zeebe.publish(m, "k", id_="once", ttl=1000), StatusCode.ALREADY_EXISTS)
    # The check for what has expired may run once a minute.
    await clock.advance(70_000)
    await zeebe.publish(m, "k", id_="once", ttl=1000)


@pytest.mark.case(104, "d")
async def test_a_message_continues_one_instance_of_each_process(zeebe: Zeebe, p: str, m: str) -> None:
    q = zeebe.name("q")
    await zeebe.deploy(waiting(q, m))
    one, other, foreign = [await zeebe.create(each, key="k") for each in (p, p, q)]
    await zeebe.found("message-subscriptions", 3, messageName=m, correlationKey="k")
    await zeebe.publish(m, "k", x=1)
    await zeebe.ended(foreign)
    await zeebe.found("process-instances", processDefinitionId=p, state="COMPLETED")
    await zeebe.publish(m, "k", x=2)
    values = []
    for instance in (one, other):
        await zeebe.ended(instance)
        values += await zeebe.found("variables", processInstanceKey=instance, name="x")
    assert sorted(each["value"] for each in values) == ["1", "2"]


@pytest.mark.case(107, "t")
async def test_a_message_from_before_the_deployment_starts_nothing(zeebe: Zeebe, m: str) -> None:
    q, t = zeebe.names("q", "t")
    await zeebe.publish(m, "early")
    await zeebe.deploy(draw(q, "start > a > end", message(m), start=start(message=m), a=task(t), end=end()))
    await zeebe.publish(m, "late", ttl=0, x=1)
    assert variables_of(await zeebe.job(t)) == {"x": 1}
    assert await zeebe.jobs(t) == []


@pytest.mark.case(108, "s")
async def test_a_missing_correlation_key_is_an_incident_that_can_be_put_right(zeebe: Zeebe, p: str, m: str) -> None:
    instance = await zeebe.create(p)
    incident = await zeebe.incident(instance)
    assert (incident["errorType"], incident["elementId"]) == ("EXTRACT_VALUE_ERROR", "wait")
    await zeebe.set(instance, key="k")
    await zeebe.resolve(incident)
    await zeebe.publish(m, "k")
    await zeebe.ended(instance)


@pytest.mark.case(109, "t")
@pytest.mark.parametrize("mapped", [False, True])
async def test_a_non_interrupting_event_subprocess_runs_for_each_message(zeebe: Zeebe, m: str, *, mapped: bool) -> None:
    q, t, note = zeebe.names("q", "t", "note")
    begin = message_start(m, interrupting=False, extensions=mapping(outputs={"got": "=foo"}) if mapped else "")
    content = inside("in > b > out", **{"in": begin, "b": task(note), "out": end()})
    drawn = draw(
        q, "start > a > end", message(m, "=key"), start=start(), a=task(t), end=end(), notes=event_subprocess(content)
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(q, key="k", foo=-1)
    main = await zeebe.job(t)
    for foo in range(3):
        await zeebe.publish(m, "k", foo=foo)
        await zeebe.complete_next(note)
    await zeebe.complete(main)
    assert await result == ({"key": "k", "foo": -1, "got": 2} if mapped else {"key": "k", "foo": 2})


@pytest.mark.case(110, "d")
async def test_an_interrupting_boundary_takes_the_job_and_a_non_interrupting_one_leaves_it(
    zeebe: Zeebe, m: str
) -> None:
    q, note, t, after, noted = zeebe.names("q", "note", "t", "after", "noted")
    drawn = draw(
        q,
        "start > a > end; stop > b > end; say > c > end",
        message(m, "=key") + message(note, "=key"),
        start=start(),
        a=task(t),
        stop=boundary("a", awaits(m)),
        say=boundary("a", awaits(note), interrupting=False),
        b=task(after),
        c=task(noted),
        end=end(),
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(q, key="k")
    job = await zeebe.job(t)
    await zeebe.publish(note, "k")
    await zeebe.complete_next(noted)
    await zeebe.fail(job, 2)
    again = await zeebe.job(t)
    await zeebe.publish(m, "k")
    await zeebe.complete_next(after)
    await refused(zeebe.complete(again), StatusCode.NOT_FOUND)
    assert await result == {"key": "k"}


@pytest.mark.case(111, "d")
async def test_a_subscription_keeps_its_correlation_key(zeebe: Zeebe, p: str, m: str) -> None:
    instance = await zeebe.create(p, key="old")
    await zeebe.found("message-subscriptions", processInstanceKey=instance)
    await zeebe.set(instance, key="new")
    await zeebe.publish(m, "new", x="new")
    await zeebe.publish(m, "old", x="old")
    await zeebe.ended(instance)
    (variable,) = await zeebe.found("variables", processInstanceKey=instance, name="x")
    assert variable["value"] == '"old"'


@pytest.mark.case(135, "s")
async def test_a_non_interrupting_boundary_writes_each_messages_variables_to_the_instance(zeebe: Zeebe, m: str) -> None:
    q, t, note = zeebe.names("q", "t", "note")
    drawn = draw(
        q,
        "start > a > end; say > b > end",
        message(m, "=key"),
        start=start(),
        a=task(t),
        say=boundary("a", awaits(m), interrupting=False),
        b=task(note),
        end=end(),
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(q, key="k")
    job = await zeebe.job(t)
    for foo in range(3):
        await zeebe.publish(m, "k", foo=foo)
        await zeebe.complete_next(note)
    await zeebe.complete(job)
    assert await result == {"key": "k", "foo": 2}


@pytest.mark.case(134, "s")
async def test_a_message_at_its_deadline_is_not_correlated(zeebe: Zeebe, p: str, m: str, clock: Clock) -> None:
    await zeebe.publish(m, "k", ttl=1000, x=1)
    await clock.advance(1000)
    result = zeebe.result(p, key="k")
    await zeebe.found("message-subscriptions", messageName=m, correlationKey="k")
    await zeebe.publish(m, "k", x=2)
    assert await result == {"key": "k", "x": 2}


@pytest.mark.case(147, "s")
async def test_a_message_is_correlated_at_once_to_who_waits_for_it(zeebe: Zeebe, p: str, m: str) -> None:
    instance = await zeebe.create(p, key="k")
    await zeebe.found("message-subscriptions", processInstanceKey=instance)
    body = {"name": m, "correlationKey": "k", "variables": {"x": 1}}
    answer = await zeebe.request("POST", "messages/correlation", body)
    assert (answer["processInstanceKey"], answer["tenantId"]) == (str(instance), "<default>")
    assert int(answer["messageKey"]) > instance
    await zeebe.ended(instance)
    (variable,) = await zeebe.found("variables", processInstanceKey=instance, name="x")
    assert variable["value"] == "1"


@pytest.mark.case("147b", "s")
async def test_a_message_to_correlate_that_nobody_waits_for_is_not_found_and_not_buffered(
    zeebe: Zeebe, p: str, m: str
) -> None:
    body = {"name": m, "correlationKey": "k", "variables": {"x": 1}}
    problem = await zeebe.request("POST", "messages/correlation", body, status=404)
    assert problem["title"] == "NOT_FOUND"
    result = zeebe.result(p, key="k")
    await zeebe.found("message-subscriptions", messageName=m, correlationKey="k")
    await zeebe.publish(m, "k", x=2)
    assert await result == {"key": "k", "x": 2}


@pytest.mark.case("147c", "s")
async def test_a_message_to_correlate_needs_a_name(zeebe: Zeebe) -> None:
    await zeebe.request("POST", "messages/correlation", {"correlationKey": "k"}, status=400)
