"""Section 1, ModifyProcessInstance."""

import pytest
from grpc import StatusCode

from tests.conformance.diagrams import draw, one_task
from tests.conformance.zeebe import Zeebe, refused, variables_of
from tests.engine.drawing import end, event_subprocess, inside, message, message_start, start, task


@pytest.fixture
def t(zeebe: Zeebe) -> str:
    """The type of the one task's job."""
    return zeebe.name("t")


@pytest.fixture
async def p(zeebe: Zeebe, t: str) -> str:
    """A deployed process of one task."""
    p = zeebe.name("p")
    await zeebe.deploy(one_task(p, t))
    return p


@pytest.mark.case(117, "s")
async def test_an_unknown_element_changes_nothing_and_an_unknown_instance_is_not_found(
    zeebe: Zeebe, p: str, t: str
) -> None:
    instance = await zeebe.create(p)
    job = await zeebe.job(t)
    both = zeebe.modify(instance, "task", "nowhere", terminate=(job.elementInstanceKey,))
    await refused(both, StatusCode.INVALID_ARGUMENT, "'nowhere'")
    assert await zeebe.jobs(t) == []
    await zeebe.complete(job)
    await zeebe.ended(instance)
    await refused(zeebe.modify(job.key + 10**9, "task"), StatusCode.NOT_FOUND)


@pytest.mark.case(118, "t")
async def test_a_task_can_be_begun_anew_with_a_variable_of_its_own(zeebe: Zeebe, p: str, t: str) -> None:
    result = zeebe.result(p)
    old = await zeebe.job(t)
    instance = old.processInstanceKey
    await zeebe.modify(instance, "task", terminate=(old.elementInstanceKey,), variables={"task": {"mine": 1}})
    await refused(zeebe.complete(old), StatusCode.NOT_FOUND)
    new = await zeebe.job(t)
    assert variables_of(new) == {"mine": 1}
    await zeebe.complete(new)
    assert await result == {}


@pytest.mark.case("118b", "d")
async def test_an_activated_end_event_completes_the_instance_whose_task_is_terminated(
    zeebe: Zeebe, p: str, t: str
) -> None:
    result = zeebe.result(p)
    job = await zeebe.job(t)
    await zeebe.modify(job.processInstanceKey, "end", terminate=(job.elementInstanceKey,))
    assert await result == {}


@pytest.mark.case(119, "s")
async def test_an_instance_without_active_element_is_terminated(zeebe: Zeebe, p: str, t: str) -> None:
    instance = await zeebe.create(p)
    job = await zeebe.job(t)
    await zeebe.modify(instance, terminate=(job.elementInstanceKey,))
    await zeebe.ended(instance, "TERMINATED")


@pytest.mark.case(120, "s")
async def test_an_element_that_ended_cannot_be_terminated_and_nothing_is_activated(zeebe: Zeebe) -> None:
    p, a, b = zeebe.names("p", "a", "b")
    await zeebe.deploy(draw(p, "start > a > b > end", start=start(), a=task(a), b=task(b), end=end()))
    instance = await zeebe.create(p)
    ended = await zeebe.complete_next(a)
    await zeebe.job(b)
    modification = zeebe.modify(instance, "a", terminate=(ended.elementInstanceKey,))
    await refused(modification, StatusCode.INVALID_ARGUMENT, str(ended.elementInstanceKey))
    assert await zeebe.jobs(a) == []


@pytest.mark.case(150, "d")
async def test_an_event_subprocess_that_is_activated_does_not_interrupt(zeebe: Zeebe, t: str) -> None:
    p, m, b = zeebe.names("p", "m", "b")
    content = inside("in > b > out", **{"in": message_start(m, interrupting=True), "b": task(b), "out": end()})
    drawn = draw(
        p, "start > a > end", message(m, "=key"), start=start(), a=task(t), end=end(), e=event_subprocess(content)
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(p, key="k")
    job = await zeebe.job(t)
    await zeebe.modify(job.processInstanceKey, "e")
    await zeebe.complete_next(b)
    await zeebe.complete(job)
    assert await result == {"key": "k"}
