"""Section 8: what is compensated, and in which order."""

import pytest
from grpc import StatusCode

from tests.conformance import saga
from tests.conformance.diagrams import draw
from tests.conformance.zeebe import Zeebe, refused, variables_of
from tests.engine.drawing import (
    compensate,
    condition,
    end,
    event_subprocess,
    gateway,
    handler,
    inside,
    mapping,
    message,
    message_start,
    start,
    task,
    undone_by,
)


@pytest.fixture
def p(zeebe: Zeebe) -> str:
    """The process's id."""
    return zeebe.name("p")


async def finish(zeebe: Zeebe, *labels: str) -> None:
    """Complete a job of each type, one after the other."""
    for label in labels:
        await zeebe.complete_next(zeebe.name(label))


@pytest.mark.case(80, "m")
async def test_a_chain_of_throws_undoes_one_after_the_other(zeebe: Zeebe, p: str) -> None:
    await zeebe.deploy(saga.chained(p, zeebe.suffix))
    result = zeebe.result(p)
    await finish(zeebe, "a", "b")
    await zeebe.throw(await zeebe.job(zeebe.name("c")), "E")
    undo_b = await zeebe.job(zeebe.name("undo-b"))
    assert await zeebe.jobs(zeebe.name("undo-a")) == []
    await zeebe.complete(undo_b)
    await finish(zeebe, "undo-a")
    assert await result == {}
    assert await zeebe.jobs(zeebe.name("undo-a")) + await zeebe.jobs(zeebe.name("undo-b")) == []


@pytest.mark.case(81, "m")
async def test_an_activity_that_never_completed_is_passed_over(zeebe: Zeebe, p: str) -> None:
    await zeebe.deploy(saga.chained(p, zeebe.suffix))
    result = zeebe.result(p)
    await finish(zeebe, "a")
    await zeebe.throw(await zeebe.job(zeebe.name("b")), "E")
    await finish(zeebe, "undo-a")
    assert await result == {}
    assert await zeebe.jobs(zeebe.name("undo-b")) == []


@pytest.mark.case(82, "m")
async def test_a_broadcast_undoes_all_at_once_and_its_end_event_waits(zeebe: Zeebe, p: str) -> None:
    await zeebe.deploy(saga.broadcast(p, zeebe.suffix))
    result = zeebe.result(p)
    await finish(zeebe, "a", "b")
    jobs = [await zeebe.job(zeebe.name("undo-b")), await zeebe.job(zeebe.name("undo-a"))]
    for job in jobs:
        assert not result.done()
        await zeebe.complete(job)
    assert await result == {}


@pytest.mark.case(83, "m")
async def test_an_activity_in_a_loop_is_undone_once_per_completion(zeebe: Zeebe, p: str) -> None:
    drawn = draw(
        p,
        "start > merge > a > again > all",
        start=start(),
        merge=gateway(),
        **saga.activities(zeebe.suffix, "a"),
        again=gateway("all"),
        back=condition("again", "merge", "=more"),
        all=compensate(kind="endEvent"),
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(p, more=True)
    await finish(zeebe, "a")
    await zeebe.complete_next(zeebe.name("a"), more=False)
    for job in await zeebe.some_jobs(zeebe.name("undo-a"), 2):
        await zeebe.complete(job)
    assert await result == {"more": False}


@pytest.mark.case(84, "s")
async def test_a_second_throw_finds_nothing_to_undo(zeebe: Zeebe, p: str) -> None:
    throws = {"one": compensate("a"), "two": compensate("a")}
    flows = "start > a > one > two > end"
    await zeebe.deploy(draw(p, flows, start=start(), **saga.activities(zeebe.suffix, "a"), **throws, end=end()))
    result = zeebe.result(p)
    await finish(zeebe, "a", "undo-a")
    assert await result == {}


@pytest.mark.case(89, "t")
async def test_an_undo_that_failed_for_good_holds_the_next_throw(zeebe: Zeebe, p: str) -> None:
    await zeebe.deploy(saga.chained(p, zeebe.suffix))
    instance = await zeebe.create(p)
    await finish(zeebe, "a", "b")
    await zeebe.throw(await zeebe.job(zeebe.name("c")), "E")
    undo = await zeebe.job(zeebe.name("undo-b"))
    await zeebe.fail(undo)
    incident = await zeebe.incident(instance)
    assert (incident["errorType"], incident["elementId"]) == ("JOB_NO_RETRIES", "undo_b")
    assert await zeebe.jobs(zeebe.name("undo-a")) == []
    await zeebe.retries(undo, 1)
    await zeebe.resolve(incident)
    await finish(zeebe, "undo-b", "undo-a")
    await zeebe.ended(instance)


@pytest.mark.case(90, "m")
async def test_a_handler_sees_the_instances_variables_of_now_and_not_the_activitys_own(zeebe: Zeebe, p: str) -> None:
    mapped = {"a": task(zeebe.name("a"), extensions=mapping({"mine": "=1"}))}
    drawn = draw(
        p,
        "start > a > b > all",
        start=start(),
        **(saga.activities(zeebe.suffix, "a") | mapped),
        b=task(zeebe.name("b")),
        all=compensate(kind="endEvent"),
    )
    await zeebe.deploy(drawn)
    await zeebe.create(p, n=1)
    await finish(zeebe, "a")
    await zeebe.complete_next(zeebe.name("b"), n=2)
    assert variables_of(await zeebe.job(zeebe.name("undo-a"))) == {"n": 2}


@pytest.mark.case(91, "s")
async def test_a_handlers_result_reaches_the_instance_and_its_input_mapping_is_its_own(zeebe: Zeebe, p: str) -> None:
    undo = handler(zeebe.name("undo-a")).replace(
        "</bpmn:extensionElements>", mapping({"x": "=n"}) + "</bpmn:extensionElements>"
    )
    drawn = draw(
        p,
        "start > a > all",
        start=start(),
        a=task(zeebe.name("a")),
        undo=undo,
        **undone_by("a", "undo"),
        all=compensate(kind="endEvent"),
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(p, n=1)
    await finish(zeebe, "a")
    job = await zeebe.job(zeebe.name("undo-a"))
    assert variables_of(job) == {"n": 1, "x": 1}
    await zeebe.complete(job, undone=True)
    assert await result == {"n": 1, "undone": True}


@pytest.mark.case(92, "m")
async def test_cancelling_undoes_nothing(zeebe: Zeebe, p: str) -> None:
    await zeebe.deploy(saga.chained(p, zeebe.suffix))
    instance = await zeebe.create(p)
    await finish(zeebe, "a")
    await zeebe.fail(await zeebe.job(zeebe.name("b")))
    await zeebe.incident(instance)
    await zeebe.cancel(instance)
    await zeebe.ended(instance, "TERMINATED")
    assert await zeebe.jobs(zeebe.name("undo-a")) + await zeebe.jobs(zeebe.name("undo-b")) == []


@pytest.mark.case(93, "m")
async def test_a_handler_sees_the_variables_of_the_error(zeebe: Zeebe, p: str) -> None:
    await zeebe.deploy(saga.chained(p, zeebe.suffix))
    await zeebe.create(p)
    await finish(zeebe, "a")
    await zeebe.throw(await zeebe.job(zeebe.name("b")), "E", why="no")
    assert variables_of(await zeebe.job(zeebe.name("undo-a"))) == {"why": "no"}


@pytest.mark.case(95, "m")
async def test_a_modification_that_activates_the_first_throw_undoes_what_has_completed(zeebe: Zeebe, p: str) -> None:
    throws = {"throw_b": compensate("b"), "throw_a": compensate("a", "endEvent")}
    flows = "start > a > b > c > end; never > throw_b > throw_a"
    drawn = draw(
        p,
        flows,
        start=start(),
        **saga.activities(zeebe.suffix, "a", "b"),
        c=task(zeebe.name("c")),
        end=end(),
        never=task(zeebe.name("never")),
        **throws,
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(p)
    await finish(zeebe, "a", "b")
    job = await zeebe.job(zeebe.name("c"))
    await zeebe.modify(job.processInstanceKey, "throw_b", terminate=(job.elementInstanceKey,))
    undo_b = await zeebe.job(zeebe.name("undo-b"))
    assert await zeebe.jobs(zeebe.name("undo-a")) == []
    await zeebe.complete(undo_b)
    await finish(zeebe, "undo-a")
    assert await result == {}


@pytest.mark.case(96, "t")
async def test_an_instance_that_is_cancelled_while_it_undoes_ends(zeebe: Zeebe, p: str) -> None:
    await zeebe.deploy(saga.chained(p, zeebe.suffix))
    instance = await zeebe.create(p)
    await finish(zeebe, "a", "b")
    await zeebe.throw(await zeebe.job(zeebe.name("c")), "E")
    undo = await zeebe.job(zeebe.name("undo-b"))
    await zeebe.cancel(instance)
    # 8.6.0 leaves such an instance ending for ever: it is known, and takes neither variables nor a modification.
    await refused(zeebe.set(instance, a=1), StatusCode.NOT_FOUND)
    await refused(zeebe.complete(undo), StatusCode.NOT_FOUND)
    if (await zeebe.version()).startswith("8.6"):
        await refused(zeebe.modify(instance, "-"), StatusCode.INVALID_ARGUMENT)
    else:
        await zeebe.ended(instance, "TERMINATED")


@pytest.mark.case(97, "m")
async def test_a_job_that_was_interrupted_is_not_undone(zeebe: Zeebe, p: str) -> None:
    m = zeebe.name("m")
    content = inside(
        "in > throw > out", **{"in": message_start(m, interrupting=True), "throw": compensate(), "out": end()}
    )
    drawn = draw(
        p,
        "start > b > a > end",
        message(m, "=key"),
        start=start(),
        **saga.activities(zeebe.suffix, "a", "b"),
        end=end(),
        cancel=event_subprocess(content),
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(p, key="k")
    await finish(zeebe, "b")
    late = await zeebe.job(zeebe.name("a"))
    await zeebe.publish(m, "k")
    undo_b = await zeebe.job(zeebe.name("undo-b"))
    await refused(zeebe.complete(late), StatusCode.NOT_FOUND)
    await zeebe.complete(undo_b)
    assert await result == {"key": "k"}
    assert await zeebe.jobs(zeebe.name("undo-a")) == []
