"""`saga` as a user runs it, without its second of imports: each command is a process forked from one that has them.

The suite runs some hundreds of commands. What a command has to import by itself, and how long that takes, is tested
with real ones (tests/cli/test_help.py); so is what depends on a terminal.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from workers.cli import COMMANDS, main

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload([__name__, *sorted({f"workers.cli.{entry.module}" for entry in COMMANDS.values()})])


def saga(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], stdin: str, seconds: float
) -> tuple[int, str, str]:
    """Run `saga` in a folder and return its exit status, what it printed, and what it printed as errors.

    Raises:
        TimeoutError: It has not ended by then, and was killed.
    """
    with tempfile.TemporaryDirectory() as streams:
        given, printed, errors = (Path(streams, name) for name in ("stdin", "stdout", "stderr"))
        given.write_text(stdin, encoding="utf-8")
        command = _FORKING.Process(
            target=_be,
            args=(list(arguments), folder, dict(environment), [str(each) for each in (given, printed, errors)]),
        )
        command.start()
        command.join(seconds)
        if command.exitcode is None:
            command.kill()
            command.join()
            message = f"saga {' '.join(arguments)} has not ended in {seconds:g} seconds"
            raise TimeoutError(message)
        return command.exitcode, printed.read_text(encoding="utf-8"), errors.read_text(encoding="utf-8")


def _be(arguments: list[str], folder: Path, environment: dict[str, str], streams: list[str]) -> None:
    """Be the command, in a process that was forked for it."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, (path, flags) in enumerate(zip(streams, (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)):
        os.dup2(os.open(path, flags), number)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode, encoding="utf-8") for number, mode in enumerate("rww"))  # noqa: PTH123, SIM115 - file descriptors
    sys.argv = ["saga", *arguments]
    main()
