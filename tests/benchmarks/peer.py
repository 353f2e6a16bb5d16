"""A peer: one worker process, told what to work at, and what it costs."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from saga.stack.errors import StackError
from saga.stack.logs import tail

_READY_SECONDS = 30.0
_LAST_LINES = 15


@dataclass(frozen=True, slots=True)
class Peer:
    """How one kind of worker is started."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self, address: str, in_flight: int, logs: Path) -> AsyncIterator["Process"]:
        """Run it against the gateway at `address` with so many jobs in flight."""
        said = logs / f"{self.name}.log"
        with said.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self.command,
                address,
                str(in_flight),
                env={**os.environ, **self.environment},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                # A Ctrl-C in the terminal is for the benchmark alone, which ends its peers.
                start_new_session=True,
            )
        try:
            yield Process(self.name, process, said)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class Process:
    """A peer that runs."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self._log = log
        self._process = process
        self._facts = psutil.Process(process.pid)

    @asynccontextmanager
    async def working(self, *task_types: str) -> AsyncIterator[None]:
        """Let it work at these task types."""
        await self._tell("open", *task_types)
        try:
            yield
        finally:
            await self._tell("close")

    async def _tell(self, *words: str) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(" ".join(words).encode() + b"\n")
        async with asyncio.timeout(_READY_SECONDS):
            await self._process.stdin.drain()
            said = (await self._process.stdout.readline()).decode().strip()
        if said != words[0]:
            last = "\n".join(tail(self._log, _LAST_LINES))
            message = f"{self.name} was told to {words[0]} and said {said!r}. The last lines of its log:\n{last}"
            raise StackError(message)

    def cpu(self) -> float:
        """Return the seconds of CPU that it took so far, with all its threads and children."""
        return sum(_cpu(each) for each in (self._facts, *self._facts.children(recursive=True)))

    def memory(self) -> int:
        """Return its resident memory in bytes, children included."""
        return sum(each.memory_info().rss for each in (self._facts, *self._facts.children(recursive=True)))


def _cpu(process: psutil.Process) -> float:
    if sys.platform == "linux":
        # The kernel's clock of the whole process, in nanoseconds; /proc counts in hundredths of a second.
        return time.clock_gettime(~process.pid << 3 | 2)
    times = process.cpu_times()
    return times.user + times.system
