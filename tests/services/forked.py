"""A service as a process that a test may kill, started in a moment (tests/warm.py)."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from services.participant.server import router_of
from tests.services.participant import tokens_of
from tests.warm import Service


@contextmanager
def forked(name: str, **environment: str) -> Iterator[Service]:
    """Run a service that knows its callers' tokens; at the end it is killed."""
    process = Service(name, {"PATH": os.environ["PATH"], **tokens_of(router_of(name)), **environment})
    try:
        yield process
    finally:
        process.signal(signal.SIGKILL)
        process.end()
