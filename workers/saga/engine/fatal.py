"""Failures after which the process must not go on: memory may have what the log has not."""

import os
import sqlite3
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ending(reason: str) -> Iterator[None]:
    """End the process where the block fails, whatever it was; one line says why, and a traceback where it is a bug."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - as above
        if not isinstance(error, sqlite3.Error):
            traceback.print_exc()
        end(f"{reason} ({error})")


def end(reason: str) -> None:
    """End the process at once, without an answer to anybody: memory may have what the log has not."""
    sys.stderr.write(f"saga engine: {reason}. The process ends, so that nothing is answered that is not on the disk.\n")
    sys.stderr.flush()
    os._exit(1)
