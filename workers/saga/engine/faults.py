"""Faults on demand, by name at start: what a test wants to survive and cannot bring about from outside."""

import os
from collections.abc import Callable

from .errors import CannotStart

NAMES = ("crash:after-commit,N",)


class UnknownFault(CannotStart):
    """There is no fault of this name; the message lists those that there are."""

    def __init__(self, name: str) -> None:
        """Name the fault that was asked for."""
        super().__init__(f"There is no fault {name!r}. Known: {', '.join(NAMES)} (N counts from 1).")


def after_commit(fault: str | None) -> Callable[[], None]:
    """Return what to call between a batch's commit and its answers.

    `crash:after-commit,N` ends the process there at the Nth commit, as a power cut would.

    Raises:
        UnknownFault: `fault` is not one of `NAMES`.
    """
    if fault is None:
        return lambda: None
    name, _, count = fault.partition(",")
    if name != "crash:after-commit" or not count.isdecimal() or int(count) < 1:
        raise UnknownFault(fault)
    left = int(count)

    def crash() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os._exit(1)

    return crash
