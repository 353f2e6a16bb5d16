"""A service as a process that a test may kill, started in a moment (tests/warm.py)."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from services.participant.server import router_of, serve
from tests.services.participant import tokens_of
from tests.warm import Process, Service


@contextmanager
def forked(name: str, **environment: str) -> Iterator[Service]:
    """Run a service that knows its callers' tokens; at the end it is killed."""
    process = Service(name, _environment(name, environment))
    try:
        yield process
    finally:
        process.signal(signal.SIGKILL)
        process.end()


def ended(name: str, **environment: str) -> tuple[int, str, str]:
    """Run a service that cannot start; return its exit status, what it printed, and what it printed as errors."""
    with tempfile.TemporaryDirectory() as streams:
        printed, errors = Path(streams, "printed"), Path(streams, "errors")
        process = Process(partial(serve, name), _environment(name, environment), [Path(os.devnull), printed, errors])
        return process.end(60), printed.read_text(encoding="utf-8"), errors.read_text(encoding="utf-8")


def _environment(name: str, more: dict[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], **tokens_of(router_of(name)), **more}
