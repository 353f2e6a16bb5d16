"""A service as a process that a test may kill, started in a moment (tests/warm.py)."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from services.participant.server import router_of, serve
from tests import warm
from tests.services.participant import tokens_of


@contextmanager
def forked(name: str, **environment: str) -> Iterator[warm.Service]:
    """Run a service that knows its callers' tokens; at the end it is killed."""
    process = warm.Service(name, environment_of(name, environment))
    try:
        yield process
    finally:
        process.signal(signal.SIGKILL)
        process.end()


def ended(name: str, **environment: str) -> tuple[int, str, str]:
    """Run a service that cannot start; return its exit status, what it printed, and what it printed as errors."""
    return warm.run(partial(serve, name), environment_of(name, environment), seconds=60)


def environment_of(name: str, more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a service that knows its callers' tokens."""
    return {"PATH": os.environ["PATH"], **tokens_of(router_of(name)), **more}
