"""`saga status`: what runs, for people and for scripts."""

from typing import Any

import psutil

from saga.stack.stack import Stack
from saga.stack.state import ProcessId, StackState, State


def report(stack: Stack) -> dict[str, Any]:
    """Return the status in the shape that `saga status --json` prints."""
    now = stack.running()
    return {
        "state": now.state if now is not None else State.DOWN,
        "portOffset": stack.port_offset,
        "dataDir": str(stack.layout.data),
        "supervisor": {"pid": now.supervisor.pid} if now is not None else None,
        "parts": _parts(now) if now is not None else [],
        "addresses": stack.addresses,
    }


def _parts(now: StackState) -> list[dict[str, Any]]:
    return [
        {
            "name": part.name,
            "state": part.state,
            "pid": part.process.pid if part.process is not None else None,
            "restarts": part.restarts,
            "readySeconds": part.ready_seconds,
            "rssBytes": resident(part.process) if part.process is not None else None,
        }
        for part in now.parts
    ]


def resident(process: ProcessId) -> int | None:
    """Return the bytes of memory that the process and its children hold, None when it is gone.

    Pages that they share count once for each of them: the truth is a little less.
    """
    root = process.find()
    if root is None:
        return None
    total = 0
    for each in (root, *root.children(recursive=True)):
        try:
            total += each.memory_info().rss
        except psutil.Error:
            continue
    return total
