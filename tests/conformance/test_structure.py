"""Section 3: subprocesses, call activities, loops, event-based gateways, and several incidents."""

import pytest
from grpc import StatusCode

from tests.conformance.clock import Clock
from tests.conformance.diagrams import draw, fork, one_task, passing, terminate_end
from tests.conformance.zeebe import Zeebe, refused, variables_of
from tests.engine.drawing import (
    awaits,
    call,
    catch,
    element,
    end,
    error_start,
    event_subprocess,
    inside,
    loop,
    mapping,
    message,
    start,
    subprocess,
    task,
    timer,
)


@pytest.fixture
def p(zeebe: Zeebe) -> str:
    """The process's id."""
    return zeebe.name("p")


@pytest.mark.case(121, "d")
async def test_a_terminate_end_ends_its_scope_and_no_other(zeebe: Zeebe, p: str) -> None:
    a, b, c = zeebe.names("a", "b", "c")
    parts = {"in": start(), "fork": fork(), "x": task(a), "y": task(b), "stop": terminate_end()}
    content = inside("in > fork > x; fork > y > stop", **parts)
    drawn = draw(p, "start > s > z > end", start=start(), s=subprocess(content), z=task(c), end=end())
    await zeebe.deploy(drawn)
    result = zeebe.result(p)
    other = await zeebe.job(a)
    await zeebe.complete_next(b)
    last = await zeebe.job(c)
    await refused(zeebe.complete(other), StatusCode.NOT_FOUND)
    await zeebe.complete(last)
    assert await result == {}


@pytest.mark.case(122, "d")
@pytest.mark.parametrize("propagated", [True, False])
async def test_a_called_instance_sees_the_variables_and_gives_back_its_own_unless_told_not_to(
    zeebe: Zeebe, p: str, *, propagated: bool
) -> None:
    child, t = zeebe.names("child", "t")
    attributes = f'propagateAllChildVariables="{str(propagated).lower()}"'
    drawn = draw(p, "start > c > end", start=start(), c=call(child, attributes=attributes), end=end())
    await zeebe.deploy(one_task(child, t), drawn)
    result = zeebe.result(p, v=1)
    job = await zeebe.job(t)
    assert (job.bpmnProcessId, variables_of(job)) == (child, {"v": 1})
    await zeebe.complete(job, w=2)
    assert await result == ({"v": 1, "w": 2} if propagated else {"v": 1})


@pytest.mark.case("122b", "s")
async def test_a_called_process_that_is_not_there_is_an_incident_until_it_is_deployed(zeebe: Zeebe, p: str) -> None:
    child = zeebe.name("child")
    await zeebe.deploy(draw(p, "start > c > end", start=start(), c=call(child), end=end()))
    instance = await zeebe.create(p)
    incident = await zeebe.incident(instance)
    assert incident["errorType"] == "CALLED_ELEMENT_ERROR"
    await zeebe.deploy(passing(child))
    await zeebe.resolve(incident)
    await zeebe.ended(instance)


def looping(process: str, job_type: str, output: str = "=r") -> bytes:
    """Draw a task that is repeated for each of `items`, and collects into `all`."""
    repeated = loop(task(job_type), "=items", "item", output, "all")
    return draw(process, "start > a > end", start=start(), a=repeated, end=end())


@pytest.mark.case(123, "s")
async def test_a_parallel_loop_has_a_job_for_each_item_and_collects_in_their_order(zeebe: Zeebe, p: str) -> None:
    t = zeebe.name("t")
    await zeebe.deploy(looping(p, t, "=r * 10"))
    result = zeebe.result(p, items=[1, 2, 3])
    jobs = await zeebe.some_jobs(t, 3)
    seen = sorted((variables_of(job)["item"], variables_of(job)["loopCounter"]) for job in jobs)
    assert seen == [(1, 1), (2, 2), (3, 3)]
    for job in reversed(jobs):
        await zeebe.complete(job, r=variables_of(job)["item"])
    assert (await result)["all"] == [10, 20, 30]


@pytest.mark.case("123b", "s")
async def test_a_loop_over_nothing_collects_nothing_and_one_over_a_text_is_an_incident(zeebe: Zeebe, p: str) -> None:
    await zeebe.deploy(looping(p, zeebe.name("t")))
    assert await zeebe.result(p, items=[]) == {"items": [], "all": []}
    incident = await zeebe.incident(await zeebe.create(p, items="x"))
    assert incident["errorType"] == "EXTRACT_VALUE_ERROR"
    assert "ARRAY" in incident["errorMessage"]


@pytest.mark.case(138, "d")
async def test_what_a_loop_collects_is_local_to_each_repetition_and_null_where_it_is_missing(
    zeebe: Zeebe, p: str
) -> None:
    t = zeebe.name("t")
    await zeebe.deploy(looping(p, t))
    result = zeebe.result(p, items=[1, 2, 3])
    for job in await zeebe.some_jobs(t, 3):
        item = variables_of(job)["item"]
        await zeebe.complete(job, **({} if item == 2 else {"r": item}))
    assert await result == {"items": [1, 2, 3], "all": [1, None, 3]}


@pytest.mark.case(124, "d")
async def test_the_first_event_behind_an_event_based_gateway_wins(zeebe: Zeebe, p: str, clock: Clock) -> None:
    m, early, late = zeebe.names("m", "early", "late")
    drawn = draw(
        p,
        "start > g > got > a > end; g > tick > b > end",
        message(m, "=key"),
        start=start(),
        g=element("eventBasedGateway"),
        got=catch(awaits(m)),
        tick=catch(timer("duration", "PT1S")),
        a=task(early),
        b=task(late),
        end=end(),
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(p, key="k")
    await zeebe.publish(m, "k")
    job = await zeebe.job(early)
    await clock.advance(2000)
    assert await zeebe.jobs(late) == []
    await zeebe.complete(job)
    assert await result == {"key": "k"}


@pytest.mark.case(125, "d")
async def test_each_of_two_incidents_is_resolved_on_its_own(zeebe: Zeebe, p: str) -> None:
    a, b = zeebe.names("a", "b")
    flows = "start > fork > x > end; fork > y > end"
    await zeebe.deploy(draw(p, flows, start=start(), fork=fork(), x=task(a), y=task(b), end=end()))
    instance = await zeebe.create(p)
    first, second = await zeebe.job(a), await zeebe.job(b)
    for job in (first, second):
        await zeebe.fail(job)
    await zeebe.found("incidents", 2, processInstanceKey=instance, state="ACTIVE")
    await zeebe.retries(first, 1)
    await zeebe.resolve(await zeebe.incident(instance, elementId="x"))
    assert (await zeebe.incident(instance))["elementId"] == "y"
    await zeebe.complete_next(a)
    await refused(zeebe.complete(second), StatusCode.FAILED_PRECONDITION)


@pytest.mark.case(137, "s")
async def test_a_called_instance_cannot_be_cancelled_by_itself(zeebe: Zeebe, p: str) -> None:
    child, t = zeebe.names("child", "t")
    await zeebe.deploy(one_task(child, t), draw(p, "start > c > end", start=start(), c=call(child), end=end()))
    instance = await zeebe.create(p)
    called = (await zeebe.job(t)).processInstanceKey
    await refused(zeebe.cancel(called), StatusCode.FAILED_PRECONDITION, str(instance))
    problem = await zeebe.request("POST", f"process-instances/{called}/cancellation", status=409)
    assert str(instance) in problem["detail"]


@pytest.mark.case(139, "d")
async def test_an_event_subprocess_gives_out_what_its_own_output_mapping_names(zeebe: Zeebe, p: str) -> None:
    t, b = zeebe.names("t", "b")
    begin = error_start(extensions=mapping(outputs={"why": "=why"}))
    content = inside("in > b > out", **{"in": begin, "b": task(b), "out": end()})
    mapped = mapping({"local": "=1", "done": "=null"}, {"outside": "=done"})
    drawn = draw(p, "start > a > end", start=start(), a=task(t), end=end(), e=event_subprocess(content, mapped))
    await zeebe.deploy(drawn)
    result = zeebe.result(p)
    await zeebe.throw(await zeebe.job(t), "E", why="no")
    await zeebe.complete_next(b, done=True, local=2)
    found = await result
    assert found["outside"] is True
    assert not found.keys() & {"local", "done"}
