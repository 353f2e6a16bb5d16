"""The signals that mean "stop in order"."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
"""A supervisor's, and Ctrl-C."""


def on_stop_signal(stop: Callable[[signal.Signals], object]) -> None:
    """Call `stop` with each such signal; must be called on a running loop."""
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop, number)


@contextmanager
def stop_on_signals(*more: signal.Signals) -> Iterator[asyncio.Event]:
    """Give an event that such a signal sets, or one of `more`; must be called on a running loop."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (*STOP_SIGNALS, *more):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (*STOP_SIGNALS, *more):
            loop.remove_signal_handler(number)
