"""Runs `saga` many times: `python -m tests.cli.fuzz SHARE`, of every SHARE-th case; prints what it may not do, as JSON.

The commands' modules are imported once, and each case is a fork: an own start for each would take a second.
"""

import ctypes
import io
import json
import os
import resource
import signal
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from typer.core import TyperOption

from saga.cli import COMMANDS, load, main

HUGE = "99999999999999999999"
"""A number that some options may take: so many lines of a log are all of them."""
VALUES = ("", "x" * 100_000, "\udcff\udcfe", "-1", "nan", HUGE, "/", "a\nb", "{}", "\U0001f4a5")
RUNNING = frozenset({"up", "demo", "workers", "services", "engine", "reconcile"})
"""Commands that go on until they are stopped: only what they must refuse is tried with them."""
NUMBERS = frozenset(
    {
        *("PORT", "MAX_BODY", "RATE_LIMIT", "BARRIER_RETENTION_DAYS", "SAGA_PORT_OFFSET"),
        *("WORKER_LEASE", "WORKER_WINDOW", "WORKER_THREADS", "WORKER_PORT", "RECONCILER_INTERVAL", "RECONCILER_PORT"),
    }
)
NAMES = ("ZEEBE_ADDRESS", "CAMUNDA_REST_ADDRESS", "ORDERS_URL", "DATABASE_URL", "TOKENS", "SAGA_HOME", "WORKER_STATE")
READERS = {"WORKER": ["workers"], "RECONCILER": ["reconcile", "--watch"], "SAGA": ["status"]}
"""Who reads a number, by the begin of its name; a service does with all others."""
SECONDS = 10
ANOTHERS = "another's"
"""A folder that may not be looked into."""
_CAPABILITY_VERSION = 0x20080522
"""_LINUX_CAPABILITY_VERSION_3 (linux/capability.h)."""


@dataclass(frozen=True)
class Case:
    """One run."""

    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    hostile: str = ""
    is_wrong: bool = False
    """Whether it must not end with 0."""

    def __str__(self) -> str:
        """Return it in a line."""
        changes = [f"{name}={value[:20]!r}" for name, value in self.environment.items()]
        return " ".join([*changes, self.hostile, "saga", *(repr(each[:20]) for each in self.arguments)])


def cases() -> Iterator[Case]:
    """Give every case."""
    for name in COMMANDS:
        for path, options in _leaves(name):
            # `--help` of each command is tested elsewhere; this one no command has.
            yield Case([*path, "--no-such-option"], is_wrong=True)
            for option, is_number in options:
                yield Case([*path, option], is_wrong=True)
                yield from _numbers(path, option) if is_number else _texts(path, option)
            if name not in RUNNING:
                yield from (Case([*path, *value]) for value in ([], *([each] for each in VALUES)))
    for hostile in ("no HOME", "no PATH", "closed stdout", "C locale", "umask 777", "few files", "another's files"):
        yield from (Case([name], hostile=hostile) for name in ("status", "doctor", "logs", "incidents", "down"))
    for name in sorted(NUMBERS):
        reader = READERS.get(name.partition("_")[0], ["services", "orders"])
        yield from (Case(reader, {name: value}, is_wrong=True) for value in VALUES[1:])
    for name in NAMES:
        for command in ("status", "doctor", "incidents"):
            yield from (Case([command], {name: value}) for value in VALUES)


def _numbers(path: list[str], option: str) -> Iterator[Case]:
    yield from (Case([*path, option, value], is_wrong=value != HUGE) for value in VALUES)
    if path[0] not in RUNNING:
        yield Case([*path, option, "1", option, "2"])


def _texts(path: list[str], option: str) -> Iterator[Case]:
    if path[0] not in RUNNING:
        yield from (Case([*path, option, value]) for value in VALUES)


def verdict(case: Case) -> str | None:
    """Run a case; return what is wrong with how it ended, None where nothing is."""
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if not child:
            _become(case, output.fileno())
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if "Traceback" in text:
        return text.strip().splitlines()[-1][:200]
    if status == -signal.SIGALRM:
        return f"did not end within {SECONDS} seconds"
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return "ended with 0" if case.is_wrong and status == 0 else None


def _leaves(name: str) -> Iterator[tuple[list[str], list[tuple[str, bool]]]]:
    """Give each command below `name` with its options that take a value, and whether that is a number."""
    if name == "engine":  # it has parsers of its own
        yield [name], [("--port", True), ("--rest-port", True), ("--management-port", True), ("--first-key", True)]
        yield [name, "backup"], [("--data", False)]
        yield [name, "records"], [("--from", True), ("--address", False)]
        return
    found = load(name)
    commands = getattr(found, "commands", None)
    each = [([name, sub], command) for sub, command in commands.items()] if commands else [([name], found)]
    for path, command in each:
        options = [
            (option.opts[0], option.type_descriptor.annotation in {int, float})
            for option in command.params
            if isinstance(option, TyperOption) and option.opts[0].startswith("--") and not option.is_flag
        ]
        yield path, options


def _make_hostile(hostile: str) -> None:
    match hostile:
        case "no HOME" | "no PATH":
            os.environ.pop(hostile.removeprefix("no "), None)
        case "closed stdout":
            os.close(1)
        case "C locale":
            os.environ.update(LC_ALL="C", PYTHONIOENCODING="ascii")
        case "umask 777":
            os.umask(0o777)
        case "few files":
            resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))
        case "another's files":
            os.environ.update(SAGA_HOME=ANOTHERS, WORKER_STATE=ANOTHERS)
            _give_up_rights()


def _give_up_rights() -> None:
    """Be root without any capability (capset(2)): it may read then what its owner may."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).capset(struct.pack("II", _CAPABILITY_VERSION, 0), bytes(24))


def _become(case: Case, output: int) -> None:
    """Be the command in this fork, to its end."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.environ.update(case.environment)
    _make_hostile(case.hostile)
    signal.alarm(SECONDS)
    encoding = "ascii" if case.hostile == "C locale" else "utf-8"
    # As the interpreter itself does it at its start.
    is_closed = case.hostile == "closed stdout"
    sys.stdout = None if is_closed else io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding, "backslashreplace")
    sys.argv = ["saga", *case.arguments]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(end.code)
    except BaseException:  # noqa: BLE001 - whatever it is, it would be a traceback
        import traceback  # noqa: PLC0415 - in the fork alone

        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            if stream is not None:
                stream.flush()
    os._exit(code)


def run(share: int) -> dict[str, str]:
    """Run every `share`-th case in a folder of its own; return what is wrong by case."""
    with tempfile.TemporaryDirectory(prefix="saga-fuzz-") as folder:
        os.chdir(folder)
        Path(ANOTHERS).mkdir(mode=0o000)
        os.environ.update(HOME=folder, SAGA_HOME=str(Path(folder, "home")), SAGA_PORT_OFFSET="19900")
        found = {str(case): verdict(case) for case in [*cases()][::share]}
    return {case: wrong for case, wrong in found.items() if wrong}


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]))))  # noqa: T201 - its result
