"""The state file: whole at every moment, and enough to clean up after a supervisor that died."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from saga.stack import shutdown, state
from saga.stack.errors import DamagedStateError, StackError, StateFileError
from saga.stack.layout import Layout
from saga.stack.state import PartState, ProcessId, StackState, State


@pytest.fixture
def dead() -> ProcessId:
    """A process that has ended."""
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", ""]) as process:
        return ProcessId.of(process.pid)


@pytest.fixture
def mine() -> ProcessId:
    return ProcessId.of(os.getpid())


def test_what_is_written_is_read(tmp_path: Path, mine: ProcessId) -> None:
    written = StackState(supervisor=mine, parts=[PartState(name="postgres", state=State.READY, ready_seconds=0.5)])
    state.write(tmp_path / "state.json", written)
    assert state.read(tmp_path / "state.json") == written


def test_no_file_and_another_version_s_file_are_no_state(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert state.read(path) is None
    path.write_text('{"written": "by an older version"}')
    assert state.read(path) is None


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00\x81", b'{"parts": [', b"[" * 100_000], ids=["empty", "binary", "cut", "deep"]
)
def test_a_damaged_file_is_named_and_removed_by_down(tmp_path: Path, content: bytes) -> None:
    layout = Layout(tmp_path)
    layout.state.write_bytes(content)
    with pytest.raises(DamagedStateError, match=re.escape(str(layout.state))):
        state.read(layout.state)
    assert not shutdown.end(layout)
    assert state.read(layout.state) is None


def test_what_is_no_file_is_named_and_stays(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir()
    for read in (state.read, lambda _path: shutdown.end(layout)):
        with pytest.raises(StateFileError, match=f"{re.escape(str(layout.state))} cannot be read: Is a directory"):
            read(layout.state)
    assert layout.state.is_dir()


def test_data_that_is_no_folder_is_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    layout.data.write_text("")
    with pytest.raises(StackError, match="is not a folder"):
        shutdown.end(layout)
    with pytest.raises(StateFileError, match="Not a directory"):
        state.read(layout.state)


def test_a_process_that_ended_is_not_found(dead: ProcessId) -> None:
    assert dead.find() is None


def test_a_process_that_ended_and_was_not_waited_for_is_not_found() -> None:
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    )
    running = ProcessId.of(process.pid)
    assert running.find() is not None
    assert process.stdin
    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert running.find() is None
    process.wait()


def test_a_later_process_with_the_same_pid_is_not_taken_for_the_old_one(mine: ProcessId) -> None:
    assert mine.find() is not None
    assert mine.model_copy(update={"create_time": mine.create_time - 1}).find() is None
    assert mine.model_copy(update={"boot_id": "another boot"}).find() is None


def test_processes_are_told_apart_by_their_start_whatever_they_are_called(mine: ProcessId, dead: ProcessId) -> None:
    assert mine.create_time < dead.create_time
    rename = (
        "import pathlib, sys\ncomm = pathlib.Path('/proc/self/comm')\ncomm.exists() and comm.write_text('a) b (c')\n"
    )
    command = [sys.executable, "-I", "-S", "-c", f"{rename}print(flush=True)\nsys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as renamed:
        before = ProcessId.of(renamed.pid)
        assert renamed.stdout
        renamed.stdout.readline()
        assert ProcessId.of(renamed.pid) == before
        renamed.communicate()


def test_a_step_of_the_clock_makes_no_other_process(mine: ProcessId, monkeypatch: pytest.MonkeyPatch) -> None:
    """psutil adds the boot's time by the wall clock, which moves when the clock is set or a machine resumes."""
    before = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: before(process) + 3600)
    found = mine.find()
    assert found is not None
    assert found.pid == os.getpid()
    assert ProcessId.of(os.getpid()) == mine


def test_leftovers_of_a_dead_supervisor_are_killed_with_their_children(tmp_path: Path, dead: ProcessId) -> None:
    code = "import os, signal\nif os.fork(): open('up', 'w').close()\nsignal.pause()"
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", code], start_new_session=True, cwd=tmp_path) as leftover:
        while not (tmp_path / "up").exists():
            assert leftover.poll() is None
        children = psutil.Process(leftover.pid).children()
        part = PartState(name="postgres", state=State.READY, process=ProcessId.of(leftover.pid))
        state.sweep(StackState(supervisor=dead, parts=[part]))
        if is_left := psutil.pid_exists(leftover.pid):
            state.kill_group(leftover.pid)
        assert not is_left
    _, alive = psutil.wait_procs(children, timeout=5)
    assert children
    assert not alive


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([State.READY, State.READY], State.READY),
        ([State.READY, State.WAITING], State.STARTING),
        ([State.READY, State.RESTARTING], State.DEGRADED),
        ([State.READY, State.STOPPING], State.STOPPING),
    ],
)
def test_the_stack_s_state_sums_up_its_parts(mine: ProcessId, states: list[State], expected: State) -> None:
    parts = [PartState(name=str(number), state=each) for number, each in enumerate(states)]
    assert StackState(supervisor=mine, parts=parts).state is expected
