"""`saga doctor` finds what is wrong around a stack, and says nothing where all is well."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from filelock import FileLock

from saga.stack import doctor, state
from saga.stack.stack import Stack
from saga.stack.state import ProcessId, StackState
from saga.stack.surroundings import surroundings
from services.participant import schema
from tests.services.postgres import Postgres

OFFSET = 6_250
"""Of a stack that no other test has, with ports that the kernel gives to nobody (tests/stack.py)."""


@pytest.fixture(autouse=True)
def stack_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [*os.environ]:
        if name.startswith(("PG", "ZEEBE_", "CAMUNDA_")) or name.lower().endswith("_proxy") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    monkeypatch.setenv("SAGA_HOME", str(tmp_path))
    monkeypatch.setenv("WORKER_STATE", str(tmp_path))
    folder = tmp_path / f"stack-{OFFSET}"
    folder.mkdir()
    return folder


@pytest.fixture
async def postgres() -> AsyncIterator[Postgres]:
    server = Postgres()
    await server.start()
    yield server
    server.remove()


def found() -> dict[str, tuple[bool, str]]:
    return {each.subject: (each.ok, each.detail) for each in surroundings(Stack(OFFSET))}


def test_nothing_is_wrong_where_nothing_is_set() -> None:
    assert all(ok for ok, _ in found().values())
    assert {"State", "Home", "Engine", "Proxies", "Database"} == found().keys()


def test_a_state_file_that_cannot_be_read_is_named(stack_folder: Path) -> None:
    (stack_folder / "state.json").mkdir()
    ok, detail = found()["State"]
    assert not ok
    assert "state.json cannot be read: Is a directory" in detail


def test_a_supervisor_that_the_state_file_does_not_name_is_found(stack_folder: Path) -> None:
    with FileLock(stack_folder / "supervisor.lock"):
        ok, detail = found()["State"]
    assert not ok
    assert "supervisor.lock" in detail
    assert found()["State"] == (True, "no stack runs here")


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_path: Path) -> Path:
        message = "Could not determine home directory."
        raise RuntimeError(message)

    monkeypatch.setattr(Path, "expanduser", nobody)
    assert found()["Home"][1].startswith("none: workers outside of the stack keep no journal")


def test_settings_of_postgresql_s_clients_are_named_as_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "require")
    assert found()["Database"] == (True, "embedded; ignored: PGSSLMODE")


def test_proxies_are_named_with_whom_they_stand_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert found()["Proxies"] == (True, "HTTP_PROXY: this machine is asked without them")
    monkeypatch.setenv("ORDERS_URL", "http://orders.example")
    assert "HTTP_PROXY names a proxy for orders.example, http://proxy.example:3128" in found()["Proxies"][1]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ZEEBE_ADDRESS", "htp://engine", "the scheme htp:// is not known"),
        ("ORDERS_URL", "orders:8101", "ORDERS_URL must be a URL"),
    ],
)
def test_a_wrong_address_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    ok, detail = found()["Addresses"]
    assert not ok
    assert said in detail


async def test_a_database_that_cannot_be_used_is_told_with_the_cause(
    monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    for url, said in (
        ("postgresql://u:hunter2@127.0.0.1:1/db", "Start PostgreSQL there"),
        (f"{postgres.url()}?sslmode=require", "offers no TLS"),
        (f"postgresql://postgres:hunter2@127.0.0.1:{postgres.port}/postgres", "password authentication failed"),
        ("not a url", "not a PostgreSQL URL"),
    ):
        monkeypatch.setenv("DATABASE_URL", url)
        ok, detail = (await asyncio.to_thread(found))["Database"]
        assert not ok
        assert said in detail
        assert "hunter2" not in detail


async def test_a_schema_of_newer_code_is_told_with_both_revisions(
    monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres.url())
    assert (await asyncio.to_thread(found))["Database"] == (True, "answers")

    async def newer(_connection: object, service: str) -> frozenset[str]:
        return frozenset({"kit_9999", f"{service}_9999"})

    monkeypatch.setattr(schema, "revisions", newer)
    ok, detail = (await asyncio.to_thread(found))["Database"]
    assert not ok
    assert "orders_9999" in detail


def test_a_journal_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    monkeypatch.setenv("WORKER_STATE", str(in_the_way / "journal"))
    assert found()["Home"] == (False, f"{in_the_way} cannot be written; set WORKER_STATE")


def test_a_wrong_setting_of_the_workers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_WINDOW", "many")
    ok, detail = found()["Environment"]
    assert not ok
    assert "WORKER_WINDOW" in detail


def test_an_engine_elsewhere_is_named_with_the_proxy_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEEBE_ADDRESS", "https://zeebe.example:443")
    assert found()["Engine"] == (True, "zeebe.example:443, TLS")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert "https_proxy names a proxy for zeebe.example, http://proxy.example:3128" in found()["Proxies"][1]


async def test_settings_of_postgresql_s_clients_are_named_as_read_for_a_database_of_the_user_s(
    monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres.url())
    monkeypatch.setenv("PGTZ", "UTC")
    assert (await asyncio.to_thread(found))["Database"] == (True, "answers; read: PGTZ")


def machine() -> dict[str, tuple[bool, str]]:
    return {each.subject: (each.ok, each.detail) for each in doctor.examine(Stack(OFFSET))}


@pytest.mark.parametrize(
    ("name", "needed", "subject", "said"),
    [
        ("_PYTHON", (99,), "Python", "3.11 or newer is needed"),
        ("_WHEELS", {"no_such_module": "a-wheel"}, "Wheels", "missing: a-wheel; run `make` again"),
        ("_SQLITE", (99, 1), "SQLite", "99.1 or newer is needed"),
        ("DATA", 10**18, "Disk for data", "make room"),
        ("_MEMORY", 10**18, "Memory", "close other programs"),
    ],
)
def test_what_the_machine_lacks_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, needed: object, subject: str, said: str
) -> None:
    assert machine()[subject][0]
    monkeypatch.setattr(doctor, name, needed)
    ok, detail = machine()[subject]
    assert not ok
    assert said in detail


def test_the_ports_of_the_stack_that_runs_are_its_own_and_another_s_are_named(stack_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 15432 + OFFSET)):
        ok, detail = machine()["Ports"]
        assert not ok
        assert f"Port {15432 + OFFSET} is taken" in detail
        state.write(stack_folder / "state.json", StackState(supervisor=ProcessId.of(os.getpid()), parts=[]))
        assert machine()["Ports"] == (True, "in use by this stack, which runs")
        assert machine()["State"] == (True, "a stack runs here")
