"""What is asked of a core, one operation after the other, so that another process can do the same.

`python -m tests.engine.core.session` reads lists of operations and writes what came of each, as long as it is asked.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO
from unittest.mock import patch

import msgspec

from saga.engine.core import Answer, Command, Engine, Record
from tests.engine.core.bench import START
from tests.stack import ROOT

Operation = tuple[str, int, dict[str, Any]]
"""`command`, `due` or `resume`; the machine's time in milliseconds; and the command."""


class Session:
    """A core with its log, and what it was asked for."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.log: list[Record] = self.engine.begin(seed=7, first_key=1, now=START)
        self.operations: list[Operation] = []

    def do(self, operation: Operation) -> None:
        """Carry out an operation."""
        self.operations.append(operation)
        kind, now, command = operation
        if kind == "command":
            self._keep(self.engine.process(Command(**command), now))
        elif kind == "resume":
            self._keep(self.engine.resume(now))
        else:
            for each in self.engine.due(now):
                self._keep(self.engine.process(each, now))

    def _keep(self, answer: Answer) -> None:
        self.log += answer.records

    def restore(self) -> None:
        """Go on with the state of a snapshot."""
        restored = Engine()
        restored.restore(self.engine.snapshot(), self.engine.position)
        self.engine = restored

    def replay(self) -> None:
        """Go on with the state that the log makes."""
        replayed = Engine()
        for record in msgspec.msgpack.decode(msgspec.msgpack.encode(self.log), type=list[Record]):
            replayed.replay(record)
        self.engine = replayed

    def fingerprint(self) -> str:
        """Return the SHA-256 of the log, and of the state."""
        return hashlib.sha256(msgspec.msgpack.encode(self.log)).hexdigest() + self.engine.digest()


@contextmanager
def bounded(follow_ups: int) -> Iterator[None]:
    """Let commands carry out so many follow-ups, and let a process that never rests be noticed soon."""
    with (
        patch("saga.engine.core.engine.MAX_FOLLOW_UPS", follow_ups),
        patch("saga.engine.core.engine.RESUMED", follow_ups),
        patch("saga.engine.core.follow_ups.MAX_HOPS", 40),
        patch("saga.engine.core.active.MAX_ACTIVE", 60),
        patch("saga.engine.core.lifecycle.PORTION", 2),
    ):
        yield


class Peer:
    """Another process, whose hashes have another seed, that does what a session did."""

    def __init__(self) -> None:
        other = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": other},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._expected = ""

    def compare(self, session: Session, follow_ups: int) -> None:
        """Let the process do the same, without being restored; look at what came of the session before."""
        assert self._process.stdin
        _send(self._process.stdin, msgspec.msgpack.encode([follow_ups, session.operations]))
        # It works on this one while the next one is drawn here.
        self.finish()
        self._expected = session.fingerprint()

    def finish(self) -> None:
        """Look at what came of the last session."""
        assert self._process.stdout
        expected, self._expected = self._expected, ""
        if expected:
            assert _receive(self._process.stdout).decode() == expected

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def _send(stream: BinaryIO | Any, data: bytes) -> None:  # noqa: ANN401 - a pipe
    stream.write(len(data).to_bytes(8, "big") + data)
    stream.flush()


def _receive(stream: BinaryIO | Any) -> bytes:  # noqa: ANN401 - a pipe
    return bytes(stream.read(int.from_bytes(stream.read(8), "big")))


def main() -> None:
    """Do what is asked for, until nobody asks any more."""
    while asked := _receive(sys.stdin.buffer):
        follow_ups, operations = msgspec.msgpack.decode(asked, type=tuple[int, list[Operation]])
        session = Session()
        with bounded(follow_ups):
            for operation in operations:
                session.do(operation)
        _send(sys.stdout.buffer, session.fingerprint().encode())


if __name__ == "__main__":
    main()
