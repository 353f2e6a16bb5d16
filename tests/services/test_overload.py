"""A service that is busy says that it is busy, before it has begun anything, and goes on at its best rate."""

import asyncio
import statistics

import pytest

from services.participant import admission
from services.participant.database import DatabaseTimeouts
from services.participant.provisioning import provision
from tests.benchmarks.bars import Samples, judge
from tests.benchmarks.participants import overload
from tests.benchmarks.participants.callers import Plan
from tests.services.conftest import running
from tests.services.participant import HOLD, Participant, code
from tests.services.postgres import Admin, Postgres


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the wait for a connection end after a second."""
    monkeypatch.setattr(admission, "WAIT", 1.0)


async def hold(inventory: Participant, order_id: str, number: int) -> tuple[int, str]:
    answer = await inventory.do(f"/reservations/{order_id}-{number}", HOLD)
    if answer.status_code == 503:
        assert answer.headers["Retry-After"] == "1"
    return (200, "") if answer.status_code == 200 else code(answer)


@pytest.mark.usefixtures("hasty")
async def test_commands_that_find_no_connection_are_told_that_the_service_is_busy_and_take_no_effect(
    role_urls: dict[str, str], admin: Admin, order_id: str
) -> None:
    timeouts = DatabaseTimeouts(lock=0.2)
    async with running("inventory", role_urls["inventory"], timeouts=timeouts) as inventory:
        await asyncio.gather(*(inventory.http.get("/ready") for _ in range(20)))  # opens the connections
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM inventory.stock FOR UPDATE")
            crowd = asyncio.gather(*(hold(inventory, order_id, number) for number in range(150)))
            ready = await inventory.http.get("/ready")
            answers = await crowd
        assert await hold(inventory, order_id, 150) == (200, "")
    assert set(answers) == {(503, "OVERLOADED"), (409, "COMMAND_IN_PROGRESS")}
    refused = [f"{order_id}-{number}" for number, (_, why) in enumerate(answers) if why == "OVERLOADED"]
    assert await admin.fetchval("SELECT count(*) FROM inventory.barrier WHERE saga_id = ANY($1)", refused) == 0
    assert ready.json() == {"status": "ready"}, "a probe does not wait behind commands"


@pytest.mark.usefixtures("hasty")
async def test_a_crowd_at_a_database_that_hangs_is_told_that_the_database_is_away(
    own_postgres: Postgres, order_id: str
) -> None:
    timeouts = DatabaseTimeouts(transaction=0.5, lock=0.2)
    url = await provision("inventory", own_postgres.url())
    async with running("inventory", url, timeouts=timeouts) as inventory:
        assert {await hold(inventory, order_id, number) for number in range(3)} == {(200, "")}
        own_postgres.suspend()
        try:
            answers = await asyncio.gather(*(hold(inventory, order_id, number) for number in range(3, 33)))
        finally:
            own_postgres.resume()
    assert set(answers) == {(503, "DATABASE_UNAVAILABLE")}


@pytest.mark.proof
async def test_of_a_thousand_callers_at_once_nobody_is_told_that_the_database_is_away() -> None:
    async with overload.serving() as inventory:
        result = await inventory.call(Plan(1_000, overload.ARTICLES, seconds=3.0, commands=1))
    assert result.done
    assert result.told.keys() <= {"OVERLOADED", "RATE_LIMITED"}
    assert not result.without_retry_after


@pytest.mark.proof
async def test_many_callers_and_hot_articles_leave_most_of_the_rate() -> None:
    samples = Samples()
    await overload.measure(samples, rounds=5, seconds=8.0)
    for (name, unit), values in samples.figures.items():
        print(f"{name}: {statistics.median(values):.0f} {unit}")  # noqa: T201 - a figure
    assert [verdict.bar.name for verdict in judge(samples, overload.BARS) if not verdict.holds] == []
