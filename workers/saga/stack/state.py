"""The state file: what runs for a data directory, for `saga status` and for cleaning up after a crash."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from saga.stack.errors import DamagedStateError, StateFileError

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_START_TICKS = 22 - 3
"""Where /proc/PID/stat has the start (proc_pid_stat(5)), counted from its third field: the second may have spaces."""


class State(StrEnum):
    """A part's state, and the whole stack's (`degraded`: a part that was ready is not)."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    DEGRADED = "degraded"
    DOWN = "down"


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class ProcessId(_Model, frozen=True):
    """A process, told apart from a later one that was given the same pid."""

    pid: int
    create_time: float
    """On Linux in clock ticks since the boot; elsewhere in seconds since the epoch, which moves with the clock."""
    boot_id: str = ""
    """Which boot that was; empty where the system has no such name."""

    @classmethod
    def of(cls, pid: int) -> "ProcessId":
        """Identify the running process `pid`."""
        return cls(pid=pid, create_time=_start(pid), boot_id=_boot_id())

    def find(self) -> psutil.Process | None:
        """Return the process while it runs, else None."""
        try:
            process = psutil.Process(self.pid)
            if (_start(self.pid), _boot_id()) != (self.create_time, self.boot_id):
                return None
            return None if process.status() == psutil.STATUS_ZOMBIE else process
        except psutil.NoSuchProcess:
            return None


def _start(pid: int) -> float:
    """Return when a process was started, so that no step of the clock changes it where that can be had.

    Raises:
        psutil.NoSuchProcess: No process has that id.
    """
    if sys.platform != "linux":
        return psutil.Process(pid).create_time()
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    return float(stat.rpartition(b")")[2].split()[_START_TICKS])


@cache
def _boot_id() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""


class PartState(_Model):
    """One part of the stack."""

    name: str
    state: State = State.WAITING
    process: ProcessId | None = None
    restarts: int = 0
    ready_seconds: float | None = None
    """From the part's start until its probe answered."""


class StackState(_Model):
    """Everything that a supervisor has to tell."""

    supervisor: ProcessId
    parts: list[PartState]
    failure: str | None = None
    """Why the supervisor gave up."""

    @property
    def state(self) -> State:
        """Sum up the parts."""
        states = {part.state for part in self.parts}
        if states <= {State.READY}:
            return State.READY
        if State.STOPPING in states:
            return State.STOPPING
        return State.DEGRADED if states & {State.RESTARTING, State.DEGRADED} else State.STARTING

    def part(self, name: str) -> PartState:
        """Return the part of that name."""
        return next(part for part in self.parts if part.name == name)

    def leftovers(self) -> Iterator[psutil.Process]:
        """Yield the parts' processes that still run."""
        for part in self.parts:
            process = part.process.find() if part.process else None
            if process is not None:
                yield process


def write(path: Path, state: StackState) -> None:
    """Replace the state file at once: a reader sees the old one or the new one."""
    draft = path.with_suffix(".new")
    draft.write_text(state.model_dump_json(by_alias=True), encoding="utf-8")
    draft.replace(path)


def read(path: Path) -> StackState | None:
    """Return the last state written, whether its supervisor still lives or not; None when there is none.

    Raises:
        StateFileError: It cannot be read, or, as a DamagedStateError, is not JSON.
    """
    try:
        written = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"The state file {path} cannot be read: {error.strerror}. Correct that, or set SAGA_HOME."
        raise StateFileError(message) from error
    except (ValueError, RecursionError) as error:
        message = f"The state file {path} is damaged. Run `saga down`, which removes it."
        raise DamagedStateError(message) from error
    try:
        return StackState.model_validate(written)
    except ValidationError:  # another version of this project wrote it
        return None


def sweep(state: StackState) -> None:
    """Kill what a dead supervisor left running: the parts and everything in their process groups."""
    leftovers = list(state.leftovers())
    for process in leftovers:
        kill_group(process.pid)
    psutil.wait_procs(leftovers, timeout=10)


def kill_group(pid: int) -> None:
    """Kill the process group that the part `pid` leads; nothing happens when it is gone."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
