"""The supervisor: order, restarts, giving up, and an end that leaves nothing behind."""

import asyncio
import dataclasses
import errno
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from saga.stack.errors import PartFailedError
from saga.stack.parts import Part, Probe, http_probe
from saga.stack.state import PartState, ProcessId, StackState, State
from saga.stack.supervisor import Supervisor
from saga.stack.supervisor_settings import DEFAULTS, SupervisorSettings
from tests.stack import free_port

_HEAD = "import os, pathlib, signal, sys, time\nhere = pathlib.Path.cwd()\n"
SERVE = "(here / sys.argv[1]).touch()\nsignal.pause()\n"
_SECONDS = 20
WATCHFUL = SupervisorSettings(watch_interval=0.05, answer_timeout=0.2, degraded_after=0.3, hung_after=1.5)
"""A part is probed often, and soon counts as hung."""
IMPATIENT = SupervisorSettings(crash_window=0.0, first_delay=0.01, max_delay=0.01)
"""Restarts come at once, and only those in a row count."""

HASTY = SupervisorSettings(first_delay=0.01)
"""Restarts come soon."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def exists(path: Path) -> Probe:
    async def probe(_client: httpx.AsyncClient) -> bool:
        return await asyncio.to_thread(path.exists)

    return probe


def part(home: Path, name: str, code: str = SERVE, **settings: object) -> Part:
    """Return a part that runs Python `code` in `home`, and is ready when it made a file of its name there."""
    command = [sys.executable, "-I", "-S", "-c", _HEAD + code, name]
    return Part(name=name, command=command, ready=exists(home / name), directory=home, **settings)  # type: ignore[arg-type]


class Run:
    """A supervisor at work and every state that it published."""

    def __init__(self, parts: Sequence[Part], home: Path, settings: SupervisorSettings = DEFAULTS) -> None:
        self.states: list[StackState] = []
        self.disk_is_full = False
        self.supervisor = Supervisor(parts, home / "logs", self.publish, settings)
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.supervisor.run(self.stop))

    def publish(self, now: StackState) -> None:
        if self.disk_is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.states.append(now.model_copy(deep=True))

    async def until(self, name: str, state: State, restarts: int = 0) -> None:
        """Wait for a part's state."""
        async with asyncio.timeout(_SECONDS):
            while not (self.of(name).state is state and self.of(name).restarts == restarts):
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.01)

    def of(self, name: str) -> PartState:
        return self.supervisor.state.part(name)

    def process(self, name: str) -> psutil.Process:
        identity = self.of(name).process
        process = identity.find() if identity else None
        assert process is not None
        return process

    def seen(self, name: str) -> list[State]:
        """Return the states that a part went through, each once in a row."""
        states = [now.part(name).state for now in self.states]
        return [state for index, state in enumerate(states) if index == 0 or states[index - 1] is not state]


@asynccontextmanager
async def running(parts: Sequence[Part], home: Path, settings: SupervisorSettings = DEFAULTS) -> AsyncIterator[Run]:
    run = Run(parts, home, settings)
    try:
        yield run
    finally:
        run.stop.set()
        await asyncio.wait([run.task])


async def test_a_part_starts_after_what_it_needs_is_ready_and_stops_before_it(home: Path) -> None:
    lines = "log = (here / 'order').open('a', buffering=1)\nlog.write(f'{sys.argv[1]} up\\n')\n"
    lines += "signal.signal(signal.SIGTERM, lambda *_: (log.write(f'{sys.argv[1]} down\\n'), sys.exit()))\n" + SERVE
    parts = [part(home, "upper", lines, needs=frozenset({"lower"})), part(home, "lower", lines)]
    async with running(parts, home) as run:
        await run.until("upper", State.READY)
    assert (home / "order").read_text().split("\n")[:4] == ["lower up", "upper up", "upper down", "lower down"]


async def test_a_part_that_crashes_is_started_again_and_counted(home: Path) -> None:
    async with running([part(home, "worker")], home) as run:
        await run.until("worker", State.READY)
        run.process("worker").kill()
        await run.until("worker", State.READY, restarts=1)
    [told] = (home / "logs" / "supervisor.log").read_text().splitlines()
    assert re.fullmatch(r"\S+Z worker was killed by SIGKILL, and is started again: restart 1\.", told)
    assert run.seen("worker") == [
        State.WAITING,
        State.STARTING,
        State.READY,
        State.RESTARTING,
        State.READY,
        State.STOPPING,
        State.DOWN,
    ]
    assert run.task.exception() is None


async def test_a_part_that_keeps_crashing_is_given_up_with_its_last_words_and_everything_is_stopped(
    home: Path,
) -> None:
    crashing = part(home, "crashing", "sys.exit('the disk is on fire')")
    async with running([crashing, part(home, "healthy")], home, HASTY) as run:
        await run.until("healthy", State.READY)
        healthy = run.process("healthy")
        with pytest.raises(PartFailedError, match=r"crashing ended with exit status 1.*\n.*the disk is on fire"):
            await asyncio.wait_for(asyncio.shield(run.task), _SECONDS)
    assert not healthy.is_running()
    assert run.states[-1].failure is not None
    assert all(each.state is State.DOWN for each in run.states[-1].parts)


SERVE_HTTP = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = here / 'status'
        self.send_response(int(status.read_text()) if status.exists() else 200)
        self.send_header('Content-Length', '0')
        self.end_headers()
server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler)
server.serve_forever()
"""
"""Answers with the status that a file says, 200 without one."""


@pytest.fixture
def watched(home: Path) -> Part:
    """A part whose answers can be chosen."""
    port = free_port()
    command = [sys.executable, "-I", "-S", "-c", _HEAD + SERVE_HTTP, str(port)]
    return Part(name="service", command=command, ready=http_probe(f"http://127.0.0.1:{port}/ready"), directory=home)


async def test_a_part_that_hangs_is_degraded_and_then_started_again(home: Path, watched: Part) -> None:
    async with running([watched], home, WATCHFUL) as run:
        await run.until("service", State.READY)
        run.process("service").suspend()
        await run.until("service", State.DEGRADED)
        assert run.supervisor.state.state is State.DEGRADED
        await run.until("service", State.READY, restarts=1)
    assert run.task.exception() is None


async def test_a_probe_that_never_ends_is_no_answer(home: Path, watched: Part) -> None:
    async def endless(_client: httpx.AsyncClient) -> bool:
        return await asyncio.Event().wait()

    async with running([dataclasses.replace(watched, alive=endless)], home, WATCHFUL) as run:
        await run.until("service", State.READY)
        await run.until("service", State.DEGRADED)
        await run.until("service", State.READY, restarts=1)


async def test_a_part_that_fails_each_request_is_started_again(home: Path, watched: Part) -> None:
    async with running([watched], home, WATCHFUL) as run:
        await run.until("service", State.READY)
        (home / "status").write_text("500")
        await run.until("service", State.DEGRADED)
        await run.until("service", State.RESTARTING, restarts=1)
        (home / "status").unlink()
        await run.until("service", State.READY, restarts=1)


async def test_a_part_that_says_itself_that_it_cannot_serve_is_degraded_and_left_alone(
    home: Path, watched: Part
) -> None:
    async with running([watched], home, dataclasses.replace(WATCHFUL, hung_after=0.5)) as run:
        await run.until("service", State.READY)
        (home / "status").write_text("503")
        await run.until("service", State.DEGRADED)
        degraded = time.monotonic()
        while time.monotonic() < degraded + 1:
            assert run.of("service").state is State.DEGRADED
            await asyncio.sleep(0.01)
        (home / "status").unlink()
        await run.until("service", State.READY)


async def test_a_part_that_hangs_again_and_again_is_given_up(home: Path, watched: Part) -> None:
    async with running([watched], home, dataclasses.replace(WATCHFUL, hung_after=0.5, hangs=2)) as run:
        for restarts in range(2):
            await run.until("service", State.READY, restarts=restarts)
            run.process("service").suspend()
        with pytest.raises(PartFailedError, match=r"service gave no answer for 0\.5 s, 2 times"):
            await asyncio.wait_for(asyncio.shield(run.task), _SECONDS)


async def test_a_part_that_never_becomes_ready_counts_as_crashed(home: Path) -> None:
    async with running([part(home, "mute", "signal.pause()", ready_seconds=0.2)], home, HASTY) as run:
        with pytest.raises(PartFailedError, match="mute was not ready after"):
            await asyncio.wait_for(asyncio.shield(run.task), _SECONDS)


async def test_a_part_that_is_never_ready_is_given_up_however_long_each_start_takes(home: Path) -> None:
    # Long enough for a busy machine to start Python and print.
    mute = part(home, "mute", "print('no room', flush=True)\nsignal.pause()", ready_seconds=1.0)
    async with running([mute], home, IMPATIENT) as run:
        with pytest.raises(PartFailedError, match=r"(?s)mute was not ready.*5 times in a row.*no room"):
            await asyncio.wait_for(asyncio.shield(run.task), _SECONDS)


async def test_starts_without_success_count_only_since_the_part_was_last_ready(home: Path) -> None:
    # Every fourth start is ready, until it is killed.
    code = "with (here / 'starts').open('a+') as starts: number = starts.write('.') and starts.tell()\n"
    code += "if number % 4: sys.exit(1)\n" + SERVE
    async with running([part(home, "moody", code)], home, IMPATIENT) as run:
        for restarts in (3, 7):
            await run.until("moody", State.READY, restarts)
            (home / "moody").unlink()
            run.process("moody").kill()
        await run.until("moody", State.READY, restarts=11)


async def test_a_part_that_cannot_be_started_is_the_run_s_failure(home: Path) -> None:
    def broken() -> None:
        message = "the archive is broken"
        raise PartFailedError(message)

    async with running([part(home, "part", prepare=broken)], home) as run:
        with pytest.raises(PartFailedError, match="the archive is broken"):
            await asyncio.wait_for(asyncio.shield(run.task), _SECONDS)


async def test_a_part_that_does_not_listen_is_killed(home: Path) -> None:
    deaf = part(
        home,
        "deaf",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVE + "while True: time.sleep(1)\n",
        stop_seconds=0.3,
    )
    async with running([deaf], home) as run:
        await run.until("deaf", State.READY)
        process = run.process("deaf")
    assert not process.is_running()


async def test_a_full_disk_keeps_nothing_from_being_stopped(home: Path) -> None:
    async with running([part(home, "upper", needs=frozenset({"lower"})), part(home, "lower")], home) as run:
        await run.until("upper", State.READY)
        processes = [run.process(name) for name in ("upper", "lower")]
        run.disk_is_full = True
    assert not any(process.is_running() for process in processes)
    assert run.task.exception() is None


async def test_what_a_part_itself_has_started_is_gone_with_it(home: Path) -> None:
    forking = part(home, "forking", "os.fork()\nsignal.signal(signal.SIGTERM, lambda *_: os._exit(0))\n" + SERVE)
    async with running([forking], home) as run:
        await run.until("forking", State.READY)
        children = run.process("forking").children()
    assert children
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive


async def test_what_a_crashed_part_leaves_behind_is_killed_before_its_next_start(home: Path) -> None:
    # The second process holds what only one can hold.
    code = "import fcntl\nlock = (here / 'lock').open('w')\n"
    code += "try: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)\nexcept OSError: sys.exit('still held')\n"
    code += "os.fork() or signal.pause()\n" + SERVE
    rest: list[str] = []
    async with running([part(home, "holding", code, kill_rest=lambda: rest.append("killed"))], home) as run:
        await run.until("holding", State.READY)
        run.process("holding").kill()
        await run.until("holding", State.READY, restarts=1)
        assert rest == ["killed"]


async def test_a_part_that_dies_before_it_can_be_looked_at_has_crashed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(pid: int) -> None:
        raise psutil.NoSuchProcess(pid)

    async with running([part(home, "brief", "sys.exit('too brief')")], home, HASTY) as run:
        monkeypatch.setattr(ProcessId, "of", gone)
        with pytest.raises(PartFailedError, match=r"(?s)brief ended with exit status 1.*too brief"):
            await asyncio.wait_for(asyncio.shield(run.task), _SECONDS)


async def test_each_run_s_output_is_in_a_log_of_its_own_and_the_run_before_is_kept(home: Path) -> None:
    for number in (1, 2):
        (home / "part").unlink(missing_ok=True)
        async with running([part(home, "part", f"print('run {number}', flush=True)\n" + SERVE)], home) as run:
            await run.until("part", State.READY)
    assert (home / "logs" / "part.log").read_text() == "run 2\n"
    assert (home / "logs" / "part.log.1").read_text() == "run 1\n"


async def test_the_time_to_ready_is_the_part_s_own(home: Path) -> None:
    slow = part(home, "slow", "time.sleep(0.3)\n" + SERVE)
    began = time.monotonic()
    async with running([slow], home) as run:
        await run.until("slow", State.READY)
        seconds = run.of("slow").ready_seconds
    assert seconds is not None
    assert 0.3 <= seconds <= time.monotonic() - began
