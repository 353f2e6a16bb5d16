"""Checks of a request's shape, which need no state; the core checks the rest."""

from collections.abc import Iterable
from typing import NoReturn

from ..core import Rejection

TENANT = "<default>"
"""The one tenant there is; it is in every answer that has a place for one."""

_LONGEST = 1 << 52
"""Milliseconds, 140,000 years: added to the clock it is still a whole number for every client and for SQLite."""


def milliseconds(value: int) -> int:
    """Return a duration that a client gave, as long as durations here can be."""
    return max(-_LONGEST, min(value, _LONGEST))


def refuse(intent: str, reason: str) -> NoReturn:
    """Refuse a request that can never be right, in the words of the core.

    Raises:
        Rejection: Always.
    """
    code = "INVALID_ARGUMENT"
    raise Rejection(code, reason, intent)


def check_tenants(rpc: str, intent: str, tenants: Iterable[str]) -> None:
    """Accept no tenant or the default one.

    Raises:
        Rejection: Another tenant is named.
    """
    for tenant in tenants:
        if tenant not in {"", TENANT}:
            reason = f"Expected to handle gRPC request {rpc} with tenant identifier '{tenant}', but there is only"
            refuse(intent, f"{reason} '{TENANT}': multi-tenancy is disabled")


def check_jobs(what: str, job_type: str, timeout: int) -> None:
    """Check what a poll and a stream have in common; `what` names the one that is asked for.

    Raises:
        Rejection: The type is blank, or the timeout is less than a millisecond.
    """
    if not job_type.strip():
        refuse("ACTIVATE", f"Expected to {what} with type to be present, but it was blank")
    if timeout < 1:
        reason = f"Expected to {what} with timeout to be greater than zero, but it was '{timeout}'"
        refuse("ACTIVATE", reason)


def check_max_jobs(max_jobs: int) -> None:
    """Check how many jobs a poll asks for.

    Raises:
        Rejection: It is less than one.
    """
    if max_jobs < 1:
        reason = "Expected to activate job batch with max jobs to activate to be greater than zero, but it was "
        refuse("ACTIVATE", f"{reason}'{max_jobs}'")
