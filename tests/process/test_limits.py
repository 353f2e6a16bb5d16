"""What the stack may cost: the figures that the README promises."""

import psutil

from saga.stack.stack import PARTS
from tests.stack import Stack

_MOST_BYTES = 900_000_000
_MOST_SECONDS = 16.0
"""Twice the promise for an idle machine with two cores: a test that shares them must not fail for the noise."""


def test_the_whole_stack_is_resident_in_less_than_nine_hundred_megabytes(stack: Stack) -> None:
    status = stack.status()
    assert {part["name"] for part in status["parts"]} == set(PARTS)
    roots = [psutil.Process(each["pid"]) for each in (*status["parts"], status["supervisor"])]
    # The supervisor is the parent of all of them.
    processes = {each.pid: each for root in roots for each in (root, *root.children(recursive=True))}
    assert sum(map(_resident, processes.values())) < _MOST_BYTES


def _resident(process: psutil.Process) -> int:
    """Return a process's bytes in memory; of pages that several share, its share, where the system tells."""
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", memory.uss))


def test_every_part_was_ready_in_time(stack: Stack) -> None:
    # The two slowest chains: each part waits for those that it needs.
    ready = {part["name"]: part["readySeconds"] for part in stack.status()["parts"]}
    services = max(ready[name] for name in PARTS if name not in {"postgres", "engine", "workers", "reconciler"})
    last = max(ready["workers"], ready["reconciler"])
    assert max(ready["engine"], ready["postgres"] + services) + last < _MOST_SECONDS
