"""`saga` as a user runs it, without its second of imports: each command is a process forked from one that has them.

The suite runs some hundreds of commands. What a command has to import by itself, and how long that takes, is tested
with real ones (tests/cli/test_help.py).
"""

import multiprocessing
import os
import pty
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workers.cli import COMMANDS, main

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload([__name__, *sorted({f"workers.cli.{entry.module}" for entry in COMMANDS.values()})])
_ROOT = Path(__file__).parents[1]
_SECONDS = 300.0


class Command:
    """A command that runs, in a session of its own."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], *streams: Path) -> None:
        """Run `saga` in the checkout; `streams` are the files of its standard input, output and errors."""
        given = (list(arguments), dict(environment), [str(path) for path in streams])
        self._process = _FORKING.Process(target=_be, args=given)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; one that has ended gets none."""
        if self._process.is_alive():
            os.kill(self.pid, number)

    def end(self, seconds: float = _SECONDS) -> int:
        """Return its exit status once it has ended: below 0 what signal ended it.

        Raises:
            TimeoutError: It has not ended by then, and was killed.
        """
        self._process.join(seconds)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
            message = f"the command has not ended in {seconds:g} seconds"
            raise TimeoutError(message)
        return self._process.exitcode


def saga(arguments: Sequence[str], environment: Mapping[str, str], stdin: str = "") -> tuple[int, str, str]:
    """Run `saga` in the checkout; return its exit status, what it printed, and what it printed as errors.

    Raises:
        TimeoutError: It has not ended in five minutes, and was killed.
    """
    with tempfile.TemporaryDirectory() as streams:
        given, printed, errors = (Path(streams, name) for name in ("stdin", "stdout", "stderr"))
        given.write_text(stdin, encoding="utf-8")
        status = Command(arguments, environment, given, printed, errors).end()
        return status, printed.read_text(encoding="utf-8"), errors.read_text(encoding="utf-8")


def at_a_terminal(arguments: Sequence[str], environment: Mapping[str, str], typed: str) -> tuple[int, str]:
    """Run `saga` at a terminal and type a text; return its exit status and what the terminal shows.

    Raises:
        TimeoutError: It has not ended in five minutes, and was killed.
    """
    ours, its = pty.openpty()
    terminal = Path(os.ttyname(its))
    with ThreadPoolExecutor(1) as reading:
        command = Command(arguments, environment, terminal, terminal, terminal)
        os.write(ours, typed.encode())
        shown = reading.submit(_read_all, ours)
        try:
            status = command.end()
        finally:
            os.close(its)
    os.close(ours)
    return status, shown.result().decode()


def _read_all(terminal: int) -> bytes:
    shown = b""
    try:
        while part := os.read(terminal, 1024):
            shown += part
    except OSError:  # Linux says so at the end of a terminal's output.
        pass
    return shown


def _be(arguments: list[str], environment: dict[str, str], streams: list[str]) -> None:
    """Be the command, in a process that was forked for it."""
    os.setsid()
    os.chdir(_ROOT)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(streams):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND if number else os.O_RDONLY), number)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode, encoding="utf-8") for number, mode in enumerate("rww"))  # noqa: PTH123, SIM115 - file descriptors
    sys.argv = ["saga", *arguments]
    main()
