"""`saga logs`: what the parts print."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

_POLL = 0.2


def tail(path: Path, count: int) -> list[str]:
    """Return the last `count` lines of the file, however long it is; none when there is no such file."""
    if count <= 0 or not path.exists():
        return []
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        text = b""
        while position > 0 and text.count(b"\n") <= count:
            step = min(64 * 1024, position)
            position -= step
            file.seek(position)
            text = file.read(step) + text
    return text.decode("utf-8", "replace").splitlines()[-count:]


def follow(paths: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """Yield each whole line that is added to one of the files from now on, with the file's key; never ends.

    A file that is replaced by a shorter one is read from its start: the stack was started anew.
    """
    positions = {name: path.stat().st_size if path.exists() else 0 for name, path in paths.items()}
    while True:
        quiet = True
        for name, path in paths.items():
            lines, positions[name] = _added(path, positions[name])
            for line in lines:
                quiet = False
                yield name, line
        if quiet:
            time.sleep(_POLL)


def _added(path: Path, position: int) -> tuple[list[str], int]:
    if not path.exists():
        return [], 0
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) < position:
            position = 0
        file.seek(position)
        whole, newline, _ = file.read().rpartition(b"\n")
    return whole.decode("utf-8", "replace").splitlines(), position + len(whole) + len(newline)
