"""Section 8: compensation and the scopes around it."""

import asyncio

import pytest

from tests.conformance import saga
from tests.conformance.diagrams import draw, fork, one_task
from tests.conformance.zeebe import Zeebe
from tests.engine.drawing import (
    call,
    compensate,
    end,
    error,
    error_boundary,
    error_start,
    event_subprocess,
    handler,
    inside,
    start,
    subprocess,
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


async def end_without(zeebe: Zeebe, result: asyncio.Task[dict[str, object]], *labels: str) -> None:
    """Expect the end of the instance, and no job of these types."""
    await result
    for label in labels:
        assert await zeebe.jobs(zeebe.name(label)) == []


@pytest.mark.case(85, "m")
async def test_an_error_boundary_on_a_subprocess_undoes_nothing_inside(zeebe: Zeebe, p: str) -> None:
    content = inside("in > a > b > out", **_in_and_out(), **saga.activities(zeebe.suffix, "a"), b=task(zeebe.name("b")))
    drawn = draw(
        p,
        "start > s > end; caught > all",
        error("E"),
        start=start(),
        s=subprocess(content),
        caught=error_boundary("s", "E"),
        end=end(),
        all=compensate(kind="endEvent"),
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(p)
    await finish(zeebe, "a")
    await zeebe.throw(await zeebe.job(zeebe.name("b")), "E")
    await end_without(zeebe, result, "undo-a")


@pytest.mark.case(86, "m")
async def test_an_error_event_subprocess_inside_undoes_what_is_inside(zeebe: Zeebe, p: str) -> None:
    handling = inside("failed > all", failed=error_start("E"), all=compensate(kind="endEvent"))
    content = inside(
        "in > a > b > out",
        **_in_and_out(),
        **saga.activities(zeebe.suffix, "a"),
        b=task(zeebe.name("b")),
        handling=event_subprocess(handling),
    )
    await zeebe.deploy(draw(p, "start > s > end", error("E"), start=start(), s=subprocess(content), end=end()))
    result = zeebe.result(p)
    await finish(zeebe, "a")
    await zeebe.throw(await zeebe.job(zeebe.name("b")), "E")
    await finish(zeebe, "undo-a")
    assert await result == {}


@pytest.mark.case(87, "s")
async def test_a_broadcast_undoes_inside_completed_subprocesses_and_not_inside_active_ones(
    zeebe: Zeebe, p: str
) -> None:
    first = inside("in > a > out", **_in_and_out(), **saga.activities(zeebe.suffix, "a"))
    second = inside(
        "in2 > b > c > out2", in2=start(), out2=end(), **saga.activities(zeebe.suffix, "b"), c=task(zeebe.name("c"))
    )
    flows = "start > fork > s > all > d > end; fork > r > end"
    drawn = draw(
        p,
        flows,
        start=start(),
        fork=fork(),
        s=subprocess(first),
        r=subprocess(second),
        all=compensate(),
        d=task(zeebe.name("d")),
        end=end(),
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(p)
    await finish(zeebe, "b")
    active = await zeebe.job(zeebe.name("c"))
    await finish(zeebe, "a", "undo-a", "d")
    await zeebe.complete(active)
    await end_without(zeebe, result, "undo-b")


@pytest.mark.case(88, "s")
async def test_a_throw_inside_a_subprocess_undoes_nothing_outside(zeebe: Zeebe, p: str) -> None:
    content = inside("in > b > all > out", **_in_and_out(), **saga.activities(zeebe.suffix, "b"), all=compensate())
    drawn = draw(
        p,
        "start > a > s > end",
        start=start(),
        **saga.activities(zeebe.suffix, "a"),
        s=subprocess(content),
        end=end(),
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(p)
    await finish(zeebe, "a", "b", "undo-b")
    await end_without(zeebe, result, "undo-a")


@pytest.mark.case(94, "d")
async def test_the_boundary_on_a_call_activity_undoes_it_and_nothing_inside_the_called_instance(
    zeebe: Zeebe, p: str
) -> None:
    child = zeebe.name("child")
    called = draw(child, "start > a > end", start=start(), **saga.activities(zeebe.suffix, "a"), end=end())
    drawn = draw(
        p,
        "start > c > all",
        start=start(),
        c=call(child),
        undo=handler(zeebe.name("undo-call")),
        **undone_by("c", "undo"),
        all=compensate(kind="endEvent"),
    )
    await zeebe.deploy(called, drawn)
    result = zeebe.result(p)
    await finish(zeebe, "a", "undo-call")
    await end_without(zeebe, result, "undo-a")


@pytest.mark.case("94b", "d")
async def test_a_called_instance_is_not_undone_from_outside(zeebe: Zeebe, p: str) -> None:
    child, t = zeebe.names("child", "b")
    called = draw(child, "start > a > end", start=start(), **saga.activities(zeebe.suffix, "a"), end=end())
    drawn = draw(p, "start > c > all", start=start(), c=call(child), all=compensate(kind="endEvent"))
    await zeebe.deploy(called, drawn, one_task(zeebe.name("q"), t))
    result = zeebe.result(p)
    await finish(zeebe, "a")
    await end_without(zeebe, result, "undo-a")


def _in_and_out() -> dict[str, str]:
    return {"in": start(), "out": end()}
