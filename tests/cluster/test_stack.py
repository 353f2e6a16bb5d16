"""The embedded stack as one thing: what the environment changes of it, and its ends that are out of the ordinary."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Timer

import httpx
import pytest

from saga.clients.ports import HOST, Ports
from saga.stack import apps, shutdown, state
from saga.stack.errors import StackError
from saga.stack.layout import Layout
from saga.stack.parts import Part
from saga.stack.stack import PARTS, Stack
from saga.stack.state import PartState, ProcessId, StackState, State

OFFSET = 19_999
NO_ANSWER = "The engine does not answer"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stacks of these tests have their data."""
    for name in ("ZEEBE_ADDRESS", "DATABASE_URL", "PAYMENT_URL", "TOKENS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SAGA_HOME", str(tmp_path))
    return tmp_path


def test_a_host_in_the_user_s_shell_moves_no_part_away_from_this_machine() -> None:
    assert apps.service("payment", Ports(), {"HOST": "0.0.0.0"}).environment["HOST"] == HOST  # noqa: S104
    assert apps.service("payment", Ports(), {}).environment["HOST"] == HOST
    assert apps.workers(Layout.of(0), Ports(), {}).environment["WORKER_HOST"] == HOST


def test_an_empty_variable_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZEEBE_ADDRESS", "DATABASE_URL", "PAYMENT_URL", "TOKENS", "TOKEN_READ"):
        monkeypatch.setenv(name, "")
    stack = Stack(OFFSET)
    assert stack.parts == PARTS
    assert f"@{HOST}:" in stack.database_url
    assert stack.application_environment()["PAYMENT_URL"] == stack.addresses["payment"]
    assert stack.application_environment()["TOKENS"] == str(stack.layout.tokens)


def test_events_go_to_the_orders_service_or_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTS_URL", "")
    stack = Stack(OFFSET)
    assert stack.application_environment()["EVENTS_URL"] == f"{stack.addresses['orders']}/events"
    monkeypatch.setenv("ORDERS_URL", "http://mesh:1/")
    assert stack.application_environment()["EVENTS_URL"] == "http://mesh:1/events"
    monkeypatch.setenv("EVENTS_URL", "http://elsewhere/in")
    assert stack.application_environment()["EVENTS_URL"] == "http://elsewhere/in"


def test_the_engine_keeps_everything_unless_the_environment_names_a_retention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAGA_ENGINE_RETENTION", raising=False)
    assert "--retention" not in apps.engine(Layout.of(0), Ports()).command
    monkeypatch.setenv("SAGA_ENGINE_RETENTION", "P7D")
    *_, option, value = apps.engine(Layout.of(0), Ports()).command
    assert (option, value) == ("--retention", "P7D")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack whose one part only waits."""

    async def ready(_client: httpx.AsyncClient) -> bool:
        return True

    command = [sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"]
    monkeypatch.setattr("saga.stack.stack.postgres", lambda *_: Part("postgres", command, ready))
    return Stack(OFFSET, ["postgres"])


async def test_what_fails_because_the_user_stopped_the_stack_is_no_failure(tiny: Stack) -> None:
    loop, stop, go_on = asyncio.get_running_loop(), asyncio.Event(), Event()

    def watch(now: StackState) -> None:
        if now.parts[0].state is State.DOWN:
            go_on.set()

    def on_ready() -> bool:
        loop.call_soon_threadsafe(stop.set)
        assert go_on.wait(20)
        raise StackError(NO_ANSWER)

    await tiny.run(stop, watch, on_ready)
    assert go_on.is_set()


async def test_what_fails_by_itself_ends_the_stack_and_is_told(tiny: Stack) -> None:
    states: list[State] = []

    def on_ready() -> bool:
        raise StackError(NO_ANSWER)

    with pytest.raises(StackError, match=NO_ANSWER):
        await tiny.run(asyncio.Event(), lambda now: states.append(now.parts[0].state), on_ready)
    assert states[-1] is State.DOWN


@pytest.fixture
def supervisor(home: Path) -> Iterator["subprocess.Popen[str]"]:
    """A supervisor that holds its lock and has not written its state yet."""
    lock = home / f"stack-{OFFSET}" / "supervisor.lock"
    lock.parent.mkdir()
    code = "import fcntl, signal, sys\nlock = open(sys.argv[1], 'w')\nfcntl.flock(lock, fcntl.LOCK_EX)\n"
    code += "print('held', flush=True)\nsignal.pause()\n"
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code, str(lock)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def write_state(supervisor: "subprocess.Popen[str]", *parts: PartState) -> None:
    now = StackState(supervisor=ProcessId.of(supervisor.pid), parts=list(parts))
    state.write(Stack(OFFSET).layout.state, now)


def test_down_during_a_start_waits_for_the_supervisor_to_tell_who_it_is_and_stops_it(
    supervisor: "subprocess.Popen[str]", home: Path
) -> None:
    telling = Timer(0.5, write_state, [supervisor])
    telling.start()
    assert Stack(OFFSET).down(delete_data=True)
    telling.join()
    assert supervisor.poll() is not None
    assert list(home.iterdir()) == []


def test_down_deletes_nothing_from_under_a_supervisor_that_it_cannot_stop(
    supervisor: "subprocess.Popen[str]", home: Path
) -> None:
    with pytest.raises(StackError, match=r"supervisor\.lock"):
        shutdown.end(Stack(OFFSET).layout, delete_data=True, state_timeout=0.2)
    assert supervisor.poll() is None
    assert (home / f"stack-{OFFSET}" / "supervisor.lock").exists()


def test_down_says_what_could_not_be_deleted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path, *, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise PermissionError(13, "Permission denied", str(path / "kept"))

    (home / f"stack-{OFFSET}").mkdir()
    monkeypatch.setattr(shutil, "rmtree", denied)
    with pytest.raises(StackError, match=r"Not everything .* could be deleted: .*Permission denied.*kept"):
        Stack(OFFSET).down(delete_data=True)


def test_down_leaves_no_trace_where_nothing_ever_was(home: Path) -> None:
    assert not Stack(OFFSET).down(delete_data=True)
    assert list(home.iterdir()) == []


def test_a_start_in_the_background_that_is_never_ready_is_stopped_again_and_tells_the_last_lines(
    supervisor: "subprocess.Popen[str]",
) -> None:
    stack = Stack(OFFSET)
    write_state(supervisor, PartState(name="postgres"))
    stack.layout.logs.mkdir()
    stack.layout.log("postgres").write_text("no room\n")
    with pytest.raises(StackError, match=r"(?s)\(postgres\).*no room"):
        stack.wait_ready(lambda _: None, ProcessId.of(supervisor.pid), timeout=0.3)
    assert supervisor.poll() is not None
