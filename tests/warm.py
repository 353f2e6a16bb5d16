"""`saga` and the services without their seconds of imports: each is a process forked from one that has them.

The suite runs some hundreds of them. What they have to import by themselves, and how long that takes, is tested with
real ones (tests/cli/test_help.py, tests/services/test_server.py).
"""

import multiprocessing
import os
import pty
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import services
from saga.cli import COMMANDS, main
from services.participant.server import serve

_COMMANDS = sorted({f"saga.cli.{entry.module}" for entry in COMMANDS.values()})
_SERVICES = ["alembic.command", "services.participant.schema", *(f"services.{name}.app" for name in services.PORTS)]
_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload([__name__, *_COMMANDS, *_SERVICES])
_ROOT = Path(__file__).parents[1]
_SECONDS = 300.0


class Process:
    """A process that runs, in a session of its own."""

    def __init__(self, what: Callable[[], object], environment: Mapping[str, str], streams: Sequence[Path]) -> None:
        """Run it in the checkout; `streams` are the files of its standard input, output and errors."""
        given = (what, dict(environment), [str(path) for path in streams])
        self._process = _FORKING.Process(target=_be, args=given)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; one that has ended gets none."""
        # A process that has just ended may still be listed as alive.
        with suppress(ProcessLookupError):
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
            message = f"the process has not ended in {seconds:g} seconds"
            raise TimeoutError(message)
        return self._process.exitcode


class Command(Process):
    """`saga` with its arguments."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], *streams: Path) -> None:
        """Run it in the checkout; `streams` are the files of its standard input, output and errors."""
        super().__init__(partial(_saga, list(arguments)), environment, streams)


class Service(Process):
    """A service, whose output nobody reads."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        """Run the service `name` in the checkout."""
        super().__init__(partial(serve, name), environment, [Path(os.devnull)] * 3)


def saga(arguments: Sequence[str], environment: Mapping[str, str], stdin: str = "") -> tuple[int, str, str]:
    """Run `saga` in the checkout; as `run`."""
    return run(partial(_saga, list(arguments)), environment, stdin)


def run(
    what: Callable[[], object], environment: Mapping[str, str], stdin: str = "", *, seconds: float = _SECONDS
) -> tuple[int, str, str]:
    """Run it in the checkout; return its exit status, what it printed, and what it printed as errors.

    Raises:
        TimeoutError: It has not ended in so many seconds, and was killed.
    """
    with tempfile.TemporaryDirectory() as streams:
        given, printed, errors = (Path(streams, name) for name in ("stdin", "stdout", "stderr"))
        given.write_text(stdin, encoding="utf-8")
        status = Process(what, environment, [given, printed, errors]).end(seconds)
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


def _be(what: Callable[[], object], environment: dict[str, str], streams: list[str]) -> None:
    """Be it, in a process that was forked for it."""
    os.setsid()
    os.chdir(_ROOT)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(streams):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND if number else os.O_RDONLY), number)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode, encoding="utf-8") for number, mode in enumerate("rww"))  # noqa: PTH123, SIM115 - file descriptors
    what()


def _saga(arguments: list[str]) -> None:
    sys.argv = ["saga", *arguments]
    main()
