"""A service that is busy says that it is busy, before it has begun anything; what it has begun goes on."""

import asyncio

import pytest

from services.kit import database
from tests.services.conftest import running
from tests.services.participant import HOLD, Participant, code
from tests.services.postgres import Admin


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_TURN_TIMEOUT", 0.3)


async def hold(inventory: Participant, order_id: str, number: int) -> tuple[int, str]:
    answer = await inventory.do(f"/reservations/{order_id}-{number}", HOLD)
    return (200, "") if answer.status_code == 200 else code(answer)


@pytest.mark.usefixtures("impatient")
async def test_more_commands_than_connections_are_told_as_overload_and_take_no_effect(
    role_urls: dict[str, str], admin: Admin, order_id: str
) -> None:
    async with running("inventory", role_urls["inventory"]) as inventory:
        assert (await inventory.http.get("/ready")).status_code == 200
        async with admin.transaction():
            # Those that have a connection wait for this row, for two seconds at most.
            await admin.execute("SELECT 1 FROM inventory.stock FOR UPDATE")
            answers = await asyncio.gather(*(hold(inventory, order_id, number) for number in range(30)))
        assert await hold(inventory, order_id, 30) == (200, "")
    assert set(answers) == {(503, "OVERLOADED"), (409, "COMMAND_IN_PROGRESS")}
    assert answers.count((409, "COMMAND_IN_PROGRESS")) <= 20
    refused = [f"{order_id}-{number}" for number, (_, why) in enumerate(answers) if why == "OVERLOADED"]
    assert await admin.fetchval("SELECT count(*) FROM inventory.barrier WHERE saga_id = ANY($1)", refused) == 0
