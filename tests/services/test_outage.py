"""When the database is away, a service says so, lives on, and is there again as soon as the database is."""

import asyncio

from services.participant.provisioning import provision
from tests.services.conftest import running
from tests.services.participant import HOLD, Participant, code
from tests.services.postgres import Postgres


async def until_taken(participant: Participant, order_id: str) -> None:
    async with asyncio.timeout(20):
        while (await participant.do(f"/reservations/{order_id}", HOLD)).status_code != 200:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.05)


async def test_a_stopped_database_is_answered_with_503_until_it_is_back(own_postgres: Postgres, order_id: str) -> None:
    async with running("inventory", await provision("inventory", own_postgres.url())) as inventory:
        await until_taken(inventory, order_id)
        own_postgres.stop()
        answers = [
            await inventory.do(f"/reservations/{order_id}-2", HOLD),
            await inventory.undo(f"/reservations/{order_id}"),
            await inventory.http.get("/ready"),
            await inventory.http.get("/stock"),
        ]
        for answer in answers:
            assert code(answer) == (503, "DATABASE_UNAVAILABLE")
            assert answer.headers["Retry-After"] == "1"
        assert (await inventory.http.get("/live")).status_code == 200
        await own_postgres.start()
        await until_taken(inventory, f"{order_id}-2")
        assert (await inventory.http.get("/ready")).json() == {"status": "ready"}


async def test_a_hanging_database_is_answered_with_503_in_bounded_time(own_postgres: Postgres, order_id: str) -> None:
    async with running("inventory", await provision("inventory", own_postgres.url())) as inventory:
        await until_taken(inventory, order_id)
        own_postgres.suspend()
        try:
            async with asyncio.timeout(9):
                answer = await inventory.do(f"/reservations/{order_id}-2", HOLD)
        finally:
            own_postgres.resume()
        assert code(answer) == (503, "DATABASE_UNAVAILABLE")
        await until_taken(inventory, f"{order_id}-2")
