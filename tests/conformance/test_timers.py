"""Section 10: timers."""

from datetime import UTC, datetime

import pytest
from grpc import StatusCode

from tests.conformance.clock import Clock
from tests.conformance.diagrams import draw
from tests.conformance.zeebe import Zeebe, refused
from tests.engine.drawing import boundary, catch, end, start, task, timer


@pytest.mark.case(112, "d")
async def test_a_timer_fires_when_its_time_has_come_and_not_before(zeebe: Zeebe, clock: Clock) -> None:
    p, t = zeebe.names("p", "t")
    wait = catch(timer("duration", "PT1S"))
    await zeebe.deploy(draw(p, "start > wait > a > end", start=start(), wait=wait, a=task(t), end=end()))
    begun = clock.now()
    await zeebe.create(p)
    await clock.advance(999 if clock.is_controlled else 0)
    assert await zeebe.jobs(t) == []
    await clock.advance(1)
    await zeebe.job(t)
    assert clock.now() >= begun + 1000


@pytest.mark.case(113, "d")
async def test_an_interrupting_timer_takes_the_job_away(zeebe: Zeebe, clock: Clock) -> None:
    p, t, after = zeebe.names("p", "t", "after")
    late = boundary("a", timer("duration", "PT1S"))
    flows = "start > a > end; late > b > end"
    await zeebe.deploy(draw(p, flows, start=start(), a=task(t), late=late, b=task(after), end=end()))
    await zeebe.create(p)
    job = await zeebe.job(t)
    await clock.advance(1000)
    await zeebe.job(after)
    await refused(zeebe.complete(job), StatusCode.NOT_FOUND)


@pytest.mark.case(114, "d")
async def test_a_cycle_fires_as_often_as_it_says(zeebe: Zeebe, clock: Clock) -> None:
    p, t, ticks = zeebe.names("p", "t", "ticks")
    tick = boundary("a", timer("cycle", "R2/PT1S"), interrupting=False)
    flows = "start > a > end; tick > b > end"
    await zeebe.deploy(draw(p, flows, start=start(), a=task(t), tick=tick, b=task(ticks), end=end()))
    result = zeebe.result(p)
    job = await zeebe.job(t)
    for _ in range(2):
        await clock.advance(1000)
        await zeebe.complete_next(ticks)
    await clock.advance(2000)
    assert await zeebe.jobs(ticks) == []
    await zeebe.complete(job)
    assert await result == {}


@pytest.mark.case(115, "s")
async def test_a_duration_that_is_none_is_an_incident_that_can_be_put_right(zeebe: Zeebe, clock: Clock) -> None:
    p = zeebe.name("p")
    wait = catch(timer("duration", "=d"))
    await zeebe.deploy(draw(p, "start > wait > end", start=start(), wait=wait, end=end()))
    instance = await zeebe.create(p, d="x")
    incident = await zeebe.incident(instance)
    assert incident["errorType"] == "EXTRACT_VALUE_ERROR"
    assert "'x'" in incident["errorMessage"]
    await zeebe.set(instance, d="PT1S")
    await zeebe.resolve(incident)
    await clock.advance(1000)
    await zeebe.ended(instance)


@pytest.mark.case(116, "d")
@pytest.mark.parametrize("past", [datetime(2001, 1, 1, tzinfo=UTC).isoformat(), "PT0S", "-PT1H"])
async def test_a_time_that_is_past_fires_at_once(zeebe: Zeebe, past: str) -> None:
    p = zeebe.name("p")
    wait = catch(timer("duration" if "P" in past else "date", past))
    await zeebe.deploy(draw(p, "start > wait > end", start=start(), wait=wait, end=end()))
    assert await zeebe.result(p) == {}
