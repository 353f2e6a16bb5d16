"""The stack under test, driven by the same command line as a user's."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saga.clients.ports import Ports
from saga.stack import state
from tests import warm

ROOT = Path(__file__).resolve().parents[1]
SAGA = Path(sys.executable).with_name("saga")
_COMMAND_TIMEOUT = 300.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a command printed and how it ended."""

    status: int
    output: str
    errors: str


class Stack:
    """A stack of its own: ports at an offset that is free, data in a folder of the test run."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.offset = free_offset()
        self.environment = {
            **os.environ,
            **environment,
            "SAGA_HOME": str(home),
            "SAGA_PORT_OFFSET": str(self.offset),
            "PATH": f"{SAGA.parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "200",
        }

    def saga(self, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> Result:
        """Run `saga` as a user does."""
        return Result(*warm.saga(arguments, {**self.environment, **(environment or {})}, stdin))

    def run(self, *command: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> Result:
        """Run a command in the checkout, with this stack as the one it finds."""
        done = subprocess.run(
            command,
            check=False,
            cwd=ROOT,
            env={**self.environment, **(environment or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def status(self) -> dict[str, Any]:
        """Return `saga status --json`."""
        done = self.saga("status", "--json")
        status: dict[str, Any] = json.loads(done.output)
        return status

    def pid(self, part: str) -> int:
        """Return the process id of a part, as the stack's state file has it."""
        found = state.read(Path(self.environment["SAGA_HOME"]) / f"stack-{self.offset}" / "state.json")
        process = found.part(part).process if found else None
        assert process is not None, f"{part} does not run"
        return process.pid

    @contextmanager
    def halted(self, part: str) -> Iterator[None]:
        """Let a part stand still: its callers wait, nothing is lost."""
        pid = self.pid(part)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


def free_port() -> int:
    """Return a port that nobody listens on, and that is none of any stack's."""
    # Not one of the kernel's own choice: it gives those to whoever connects next, before a server can have it (again).
    for port in random.sample(range(25_500, 26_500), 1_000):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    message = "no port is free"
    raise RuntimeError(message)


def free_offset() -> int:
    """Return a port offset at which every port of a stack is free, and none is one that the kernel gives away."""
    # In any order, so that two suites that start together rarely meet.
    for offset in random.sample(range(1_000, 6_300, 100), 53):
        with ExitStack() as probes:
            try:
                for port in Ports.of(offset).all():
                    probe = probes.enter_context(socket.socket())
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return offset
    message = "no port offset is free"
    raise RuntimeError(message)
