"""Room on the disk: what a stack needs before it starts."""

import shutil
from pathlib import Path

from saga.stack.errors import NoRoomError

DATA = 1_000_000_000
"""Bytes that a stack's data may take while it is worked with."""


def free(path: Path) -> int:
    """Return the bytes that are free where `path` is, or will be."""
    existing = next(each for each in (path, *path.parents) if each.exists())
    return shutil.disk_usage(existing).free


def require_room(path: Path, needed: int = DATA) -> None:
    """Check that `needed` bytes are free at `path`; an engine or a database without room stops.

    Raises:
        NoRoomError: there are fewer.
    """
    if (room := free(path)) < needed:
        message = (
            f"The disk is nearly full: {room / 1e9:.1f} GB are free for {path}; a stack needs {needed / 1e9:.0f} GB. "
            "Make room, or name another place with the environment variable SAGA_HOME; then start again."
        )
        raise NoRoomError(message)
