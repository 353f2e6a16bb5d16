"""The embedded PostgreSQL: what the user's shell says about another server is not about ours."""

import asyncio
import os
from pathlib import Path

import pytest

from saga.stack import engine_log
from saga.stack.stack import Stack
from tests.stack import free_offset

AMBIENT = {
    "PGDATABASE": "x",
    "PGSSLMODE": "verify-full",
    "PGSERVICE": "production",
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "1",
    "PGUSER": "x",
    "PGTZ": "Nowhere/Land",
    "PGTARGETSESSIONATTRS": "standby",
    "PGOPTIONS": "-c nothing=such",
}


async def test_settings_of_postgresql_s_clients_do_not_reach_our_own_server_its_probe_or_its_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in os.environ if each.startswith("PG")]:
        monkeypatch.delenv(name)
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    for name in ("ZEEBE_ADDRESS", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SAGA_HOME", str(tmp_path))
    stack = Stack(free_offset(), ["postgres"])
    asked: list[bool] = []

    def on_ready() -> bool:
        engine_log.require_settled(stack.layout, stack.database_url)
        asked.append(True)
        return False

    async with asyncio.timeout(60):
        await stack.run(asyncio.Event(), lambda _state: None, on_ready)
    assert asked
    assert not set(AMBIENT) & set(os.environ), "so the services, which inherit the environment, do not read them either"


async def test_they_are_honoured_for_a_database_that_the_user_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SAGA_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/orders")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    seen: list[str] = []

    def on_ready() -> bool:
        seen.append(os.environ["PGSSLMODE"])
        return False

    await Stack(free_offset(), ["postgres"]).run(asyncio.Event(), lambda _state: None, on_ready)
    assert seen == ["verify-full"]
