"""CPU time by part: where an order's time goes."""

from collections.abc import Mapping

import psutil

from saga.stack.stack import Stack


def part_pids(stack: Stack) -> dict[str, int]:
    """Return the process id of each running part of the stack."""
    now = stack.running()
    parts = now.parts if now is not None else []
    return {part.name: part.process.pid for part in parts if part.process is not None}


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the CPU seconds that each process and its children, ended ones included, have taken so far."""
    return {name: _taken(psutil.Process(pid)) for name, pid in pids.items()}


def _taken(root: psutil.Process) -> float:
    ended = root.cpu_times()
    total = ended.children_user + ended.children_system
    for process in (root, *root.children(recursive=True)):
        times = process.cpu_times()
        total += times.user + times.system
    return total
