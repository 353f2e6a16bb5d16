"""`saga up`, `status` and `down` as a user types them, on a real PostgreSQL: data stays, nothing else does."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from filelock import FileLock

from tests.stack import SAGA, Result, Stack

_SECONDS = 60


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack of which only PostgreSQL is started."""
    stack = Stack(tmp_path, {})
    yield stack
    stack.saga("down", "--delete-data")


@pytest.fixture
def data(stack: Stack) -> Path:
    return data_of(stack)


def data_of(stack: Stack) -> Path:
    return Path(stack.environment["SAGA_HOME"]) / f"stack-{stack.offset}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose PostgreSQL runs, for tests that leave it as it is."""
    stack = Stack(tmp_path_factory.mktemp("running"), {})
    up(stack)
    yield stack
    stack.saga("down", "--delete-data")


@pytest.fixture
def foreground(stack: Stack) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Start `saga up postgres` in the foreground and wait for it to be ready."""
    started: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [SAGA, "up", "postgres"],
            env=stack.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Stop"):
                return process
        pytest.fail("it ended before it was ready")

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def of(data: Path) -> list[psutil.Process]:
    """Return the processes that work on the data directory."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(data) in word for word in process.info["cmdline"] or ())
    ]


def nothing_is_left(stack: Stack, data: Path) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 15432 + stack.offset))
        except OSError:
            return False
    with FileLock(data / "supervisor.lock", timeout=0):
        return not of(data)


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def up(stack: Stack, *arguments: str) -> Result:
    done = stack.saga("up", "--detach", "postgres", *arguments)
    assert done.status == 0, done.output + done.errors
    return done


async def _query(stack: Stack, data: Path, sql: str) -> object:
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=15432 + stack.offset,
        user="postgres",
        password=(data / "postgres-password").read_text(),
        database="postgres",
    )
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_data_outlives_a_restart_and_delete_data_removes_it(stack: Stack, data: Path) -> None:
    up(stack)
    await _query(stack, data, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert "Stopped" in stack.saga("down").output
    assert nothing_is_left(stack, data)
    up(stack)
    assert await _query(stack, data, "SELECT answer FROM kept") == 42
    assert "Deleted" in stack.saga("down", "--delete-data").output
    assert data not in list(data.parent.iterdir())


async def test_nobody_is_let_in_without_the_password_which_only_its_owner_can_read(running: Stack) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(host="127.0.0.1", port=15432 + running.offset, user="postgres", password="guessed")  # noqa: S106
    assert stat.S_IMODE((data_of(running) / "postgres-password").stat().st_mode) == 0o600


def test_the_status_for_scripts_has_everything_that_the_readme_promises(running: Stack) -> None:
    status = json.loads(running.saga("status", "--json").output)
    assert status["state"] == "ready"
    assert (status["portOffset"], status["dataDir"]) == (running.offset, str(data_of(running)))
    assert psutil.pid_exists(status["supervisor"]["pid"])
    (part,) = status["parts"]
    assert (part["name"], part["state"], part["restarts"]) == ("postgres", "ready", 0)
    assert part["rssBytes"] > 1_000_000
    assert part["readySeconds"] > 0
    assert status["addresses"]["zeebe"] == f"127.0.0.1:{26500 + running.offset}"


def test_a_second_start_says_that_one_runs_and_leaves_it_alone(running: Stack) -> None:
    before = running.pid("postgres")
    assert "runs already" in up(running).output
    assert running.pid("postgres") == before


def test_two_starts_at_once_make_one_stack(stack: Stack, data: Path) -> None:
    starts = [
        subprocess.Popen(
            [SAGA, "up", "--detach", "postgres"],
            env=stack.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [start.communicate(timeout=_SECONDS)[0] for start in starts]
    assert [start.returncode for start in starts] == [0, 0], outputs
    assert len([each for each in of(data) if Path(each.info["cmdline"][0]).name == "postgres"]) == 1


def test_a_taken_port_is_named_with_its_owner_and_nothing_is_started(stack: Stack, data: Path) -> None:
    with socket.create_server(("127.0.0.1", 15432 + stack.offset)):
        done = stack.saga("up", "--detach", "postgres")
    assert done.status == 1
    assert f"pid {os.getpid()}" in done.errors
    assert "--port-offset" in done.errors
    assert "Traceback" not in done.errors
    assert nothing_is_left(stack, data)


def test_a_crashed_part_is_back_by_itself_with_its_data(stack: Stack) -> None:
    up(stack)
    postmaster = psutil.Process(stack.pid("postgres"))
    # It answers to nobody, as one does in a long computation, and holds the shared memory.
    busy = next(each for each in postmaster.children() if "checkpointer" in " ".join(each.cmdline()))
    busy.suspend()
    postmaster.kill()

    def back() -> bool:
        (part,) = stack.status()["parts"]
        return (part["state"], part["restarts"]) == ("ready", 1)

    assert eventually(back)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_in_order(
    stack: Stack, data: Path, foreground: Callable[[], "subprocess.Popen[str]"], number: signal.Signals
) -> None:
    process = foreground()
    process.send_signal(number)
    assert process.wait(timeout=_SECONDS) == 0
    assert nothing_is_left(stack, data)
    assert "database system is shut down" in (data / "logs" / "postgres.log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start cleans up")
def test_a_killed_supervisor_takes_everything_with_it(
    stack: Stack, data: Path, foreground: Callable[[], "subprocess.Popen[str]"]
) -> None:
    process = foreground()
    process.kill()
    process.wait()
    assert eventually(lambda: nothing_is_left(stack, data))
    assert stack.status()["state"] == "down"


def test_the_logs_of_a_part_are_shown_after_it_stopped(stack: Stack) -> None:
    up(stack)
    stack.saga("down")
    assert "database system is shut down" in stack.saga("logs", "postgres").output


def test_an_unknown_part_is_the_user_s_mistake(stack: Stack) -> None:
    for arguments in (("logs", "postgers"), ("up", "postgers")):
        done = stack.saga(*arguments)
        assert done.status == 2
        assert "postgers" in done.errors
        assert "postgres" in done.errors


def test_with_a_cluster_and_a_database_in_the_environment_neither_is_embedded(stack: Stack) -> None:
    environment = {"ZEEBE_ADDRESS": "zeebe.example:26500", "DATABASE_URL": "postgresql://db.example/x"}
    done = stack.saga("status", "--json", environment=environment)
    addresses = json.loads(done.output)["addresses"]
    assert addresses["zeebe"] == "zeebe.example:26500"
    assert addresses["rest"] is None
    assert addresses["postgres"] is None
    assert stack.saga("up", "--detach", "engine", "postgres", environment=environment).status == 0
    assert stack.status()["state"] == "down"


@pytest.mark.long
async def test_a_new_engine_log_beside_open_sagas_is_refused_until_it_is_accepted(stack: Stack, data: Path) -> None:
    up(stack)
    await _query(stack, data, "CREATE SCHEMA orders")
    await _query(stack, data, "CREATE TABLE orders.barrier AS SELECT 'do' AS op, NULL::text AS settlement")
    stack.saga("down")
    refused = stack.saga("up", "--detach", "postgres", "engine")
    assert refused.status == 1
    for said in (f"The engine's log in {data / 'engine'} is new", "(orders: 1)", "saga up --new-engine"):
        assert said in refused.errors
    assert nothing_is_left(stack, data)
    accepted = stack.saga("up", "--detach", "postgres", "engine", "--new-engine")
    assert accepted.status == 0, accepted.output + accepted.errors
    stack.saga("down")
    up(stack, "engine")  # its log is not new any more


def test_doctor_names_what_is_wrong_and_fails(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 15432 + stack.offset)):
        sick = stack.saga("doctor")
    assert sick.status == 1
    assert f"Port {15432 + stack.offset} is taken" in sick.output
    assert stack.saga("doctor").status == 0
