"""Section 7: who catches an error, and what becomes of its variables."""

import pytest
from grpc import StatusCode

from tests.conformance.diagrams import draw, error_end, fork
from tests.conformance.zeebe import Zeebe, refused, variables_of
from tests.engine.drawing import (
    call,
    end,
    error,
    error_boundary,
    error_start,
    event_subprocess,
    inside,
    mapping,
    message,
    message_start,
    start,
    subprocess,
    task,
)


def way(name: str) -> str:
    """Draw an end event that says in a variable that it was reached."""
    return end(mapping(outputs={"way": f'="{name}"'}))


def throwing(zeebe: Zeebe, flows: str, **more: str) -> bytes:
    """Draw a process with a task that throws, and end events that say which way was taken."""
    return draw(
        zeebe.name("p"),
        f"start > a > end; {flows}",
        error("E"),
        start=start(),
        a=task(zeebe.name("t")),
        end=way("end"),
        **more,
    )


async def thrown(zeebe: Zeebe, code: str = "E", **variables: object) -> dict[str, object]:
    """Start an instance, throw an error from its task, and return its result."""
    result = zeebe.result(zeebe.name("p"))
    await zeebe.throw(await zeebe.job(zeebe.name("t")), code, "", **variables)
    return await result


@pytest.mark.case(69, "s")
async def test_an_error_is_caught_at_the_boundary_and_takes_the_job_away(zeebe: Zeebe) -> None:
    await zeebe.deploy(throwing(zeebe, "caught > other", caught=error_boundary("a", "E"), other=way("other")))
    result = zeebe.result(zeebe.name("p"))
    job = await zeebe.job(zeebe.name("t"))
    await zeebe.throw(job, "E")
    assert await result == {"way": "other"}
    await refused(zeebe.complete(job), StatusCode.NOT_FOUND)


@pytest.mark.case(70, "m")
async def test_the_exact_code_wins_over_the_catch_all(zeebe: Zeebe) -> None:
    catchers = {"rest": error_boundary("a"), "exact": error_boundary("a", "E")}
    ends = {"all": way("all"), "one": way("one")}
    await zeebe.deploy(throwing(zeebe, "rest > all; exact > one", **catchers, **ends))
    assert await thrown(zeebe, "E") == {"way": "one"}
    assert await thrown(zeebe, "F") == {"way": "all"}


@pytest.mark.case(71, "m")
async def test_variables_of_an_error_stay_at_the_boundary_that_caught_it(zeebe: Zeebe) -> None:
    await zeebe.deploy(throwing(zeebe, "caught > other", caught=error_boundary("a", "E"), other=way("other")))
    instance = await zeebe.create(zeebe.name("p"))
    await zeebe.throw(await zeebe.job(zeebe.name("t")), "E", why="no")
    await zeebe.ended(instance)
    boundary = await zeebe.element(instance, "caught", "COMPLETED")
    (variable,) = await zeebe.found("variables", processInstanceKey=instance, name="why")
    assert variable["scopeKey"] == boundary
    assert await thrown(zeebe, why="no") == {"way": "other"}


@pytest.mark.case("71b", "m")
async def test_an_output_mapping_of_the_boundary_lets_the_errors_variables_out(zeebe: Zeebe) -> None:
    caught = error_boundary("a", "E", mapping(outputs={"reason": "=why"}))
    await zeebe.deploy(throwing(zeebe, "caught > other", caught=caught, other=way("other")))
    assert await thrown(zeebe, why="no") == {"way": "other", "reason": "no"}


@pytest.mark.case(72, "m")
@pytest.mark.parametrize("mapped", [False, True])
async def test_an_error_event_subprocess_gives_the_variables_or_what_is_mapped_to_the_instance(
    zeebe: Zeebe, *, mapped: bool
) -> None:
    outputs = mapping(outputs={"reason": "=why"}) if mapped else ""
    handling = event_subprocess(inside("in > out", **{"in": error_start("E", outputs), "out": end()}))
    await zeebe.deploy(throwing(zeebe, "", handling=handling))
    assert await thrown(zeebe, why="no", more=1) == ({"reason": "no"} if mapped else {"why": "no", "more": 1})


@pytest.mark.case(73, "s")
async def test_the_boundary_of_the_task_beats_the_event_subprocess(zeebe: Zeebe) -> None:
    handling = event_subprocess(inside("in > out", **{"in": error_start("E"), "out": way("handling")}))
    catchers = {"caught": error_boundary("a", "E"), "handling": handling}
    await zeebe.deploy(throwing(zeebe, "caught > other", **catchers, other=way("other")))
    assert await thrown(zeebe) == {"way": "other"}


@pytest.mark.case("73b", "s")
async def test_the_event_subprocess_inside_beats_the_boundary_of_the_subprocess(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    handling = event_subprocess(inside("in2 > out2", in2=error_start("E"), out2=end()))
    content = inside("in > a", **{"in": start(), "a": task(t), "handling": handling})
    drawn = draw(
        p,
        "start > s > end; caught > other",
        error("E"),
        start=start(),
        s=subprocess(content),
        caught=error_boundary("s", "E"),
        end=way("end"),
        other=way("other"),
    )
    await zeebe.deploy(drawn)
    assert await thrown(zeebe) == {"way": "end"}


@pytest.mark.case(74, "s")
async def test_an_error_that_nobody_catches_is_an_incident_and_its_throw_is_accepted(zeebe: Zeebe) -> None:
    await zeebe.deploy(throwing(zeebe, ""))
    instance = await zeebe.create(zeebe.name("p"))
    job = await zeebe.job(zeebe.name("t"))
    await zeebe.throw(job, "NOBODYS")
    incident = await zeebe.incident(instance)
    assert (incident["errorType"], incident["jobKey"]) == ("UNHANDLED_ERROR_EVENT", str(job.key))
    assert "NOBODYS" in incident["errorMessage"]
    await refused(zeebe.complete(job), StatusCode.FAILED_PRECONDITION, "ERROR_THROWN")
    await zeebe.resolve(incident)
    again = await zeebe.job(zeebe.name("t"))
    assert (again.key, again.retries) == (job.key, job.retries)


@pytest.mark.case(75, "s")
async def test_an_error_end_in_a_subprocess_ends_its_other_tasks(zeebe: Zeebe) -> None:
    p, a, b, c = zeebe.names("p", "a", "b", "c")
    content = inside(
        "in > fork > x > boom; fork > y",
        **{"in": start(), "fork": fork(), "x": task(a), "y": task(b), "boom": error_end("E")},
    )
    drawn = draw(
        p,
        "start > s > end; caught > c > end",
        error("E"),
        start=start(),
        s=subprocess(content),
        caught=error_boundary("s", "E"),
        c=task(c),
        end=end(),
    )
    await zeebe.deploy(drawn)
    await zeebe.create(p)
    other = await zeebe.job(b)
    await zeebe.complete_next(a)
    await zeebe.job(c)
    await refused(zeebe.complete(other), StatusCode.NOT_FOUND)


@pytest.mark.case(76, "m")
async def test_an_error_event_subprocess_does_not_catch_what_it_throws_itself(zeebe: Zeebe) -> None:
    content = inside("in > b > out", **{"in": error_start("E"), "b": task(zeebe.name("b")), "out": end()})
    await zeebe.deploy(throwing(zeebe, "", handling=event_subprocess(content)))
    instance = await zeebe.create(zeebe.name("p"))
    await zeebe.throw(await zeebe.job(zeebe.name("t")), "E")
    await zeebe.throw(await zeebe.job(zeebe.name("b")), "E")
    incident = await zeebe.incident(instance)
    assert (incident["errorType"], incident["elementId"]) == ("UNHANDLED_ERROR_EVENT", "b")


def with_message(zeebe: Zeebe, *, interrupting: bool) -> bytes:
    """Draw a task, an event subprocess by message that throws E, and one that catches whatever comes."""
    m, t, caught = zeebe.names("m", "t", "caught")
    by_message = inside("in > boom", **{"in": message_start(m, interrupting=interrupting), "boom": error_end("E")})
    by_error = inside("in2 > b > out2", in2=error_start(), b=task(caught), out2=end())
    return draw(
        zeebe.name("p"),
        "start > a > end",
        error("E") + message(m, "=key"),
        start=start(),
        a=task(t),
        end=end(),
        by_message=event_subprocess(by_message),
        by_error=event_subprocess(by_error),
    )


@pytest.mark.case(77, "m")
async def test_an_error_in_an_interrupting_event_subprocess_is_not_caught_by_its_sibling(zeebe: Zeebe) -> None:
    await zeebe.deploy(with_message(zeebe, interrupting=True))
    instance = await zeebe.create(zeebe.name("p"), key="k")
    await zeebe.publish(zeebe.name("m"), "k")
    incident = await zeebe.incident(instance)
    assert (incident["errorType"], incident["jobKey"]) == ("UNHANDLED_ERROR_EVENT", None)
    await zeebe.resolve(incident)
    again = await zeebe.until(
        lambda: zeebe.search("incidents", processInstanceKey=str(instance), state="ACTIVE"),
        lambda found: len(found) == 1 and found[0]["incidentKey"] != incident["incidentKey"],
    )
    assert int(again[0]["incidentKey"]) > int(incident["incidentKey"])


@pytest.mark.case(78, "s")
async def test_an_error_in_a_non_interrupting_event_subprocess_is_caught_by_its_sibling(zeebe: Zeebe) -> None:
    await zeebe.deploy(with_message(zeebe, interrupting=False))
    result = zeebe.result(zeebe.name("p"), key="k")
    job = await zeebe.job(zeebe.name("t"))
    await zeebe.publish(zeebe.name("m"), "k")
    handling = await zeebe.job(zeebe.name("caught"))
    await refused(zeebe.complete(job), StatusCode.NOT_FOUND)
    await zeebe.complete(handling)
    assert await result == {"key": "k"}


@pytest.mark.case(79, "s")
async def test_an_error_leaves_a_called_instance_and_ends_it(zeebe: Zeebe) -> None:
    p, child, t = zeebe.names("p", "child", "t")
    called = draw(child, "start > a > end", start=start(), a=task(t), end=end())
    drawn = draw(
        p,
        "start > c > end; caught > other",
        error("E"),
        start=start(),
        c=call(child),
        caught=error_boundary("c", "E"),
        end=way("end"),
        other=way("other"),
    )
    await zeebe.deploy(called, drawn)
    result = zeebe.result(p)
    job = await zeebe.job(t)
    assert job.bpmnProcessId == child
    await zeebe.throw(job, "E")
    assert await result == {"way": "other"}
    await zeebe.ended(job.processInstanceKey, "TERMINATED")
    assert variables_of(job) == {}
