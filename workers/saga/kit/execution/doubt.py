"""Replies in doubt: it is unknown whether Zeebe accepted them."""

from enum import StrEnum


class Doubt(StrEnum):
    """Why it is unknown whether Zeebe accepted a reply; the participant's effect stands in any case."""

    ANSWERED_BEFORE = "answered-before"
    """An earlier try got no response and the job is gone since: most likely that try was accepted."""
    LEASE_LOST = "lease-lost"
    """The job is gone, and our lease was over: most likely another worker has replied to it."""
    ELEMENT_GONE = "element-gone"
    """The job is gone during our lease: the instance was cancelled or left the element."""
    NOT_ALLOWED = "not-allowed"
    """Zeebe knows the job but accepts no reply now, for example while it has an incident."""
    UNANSWERED = "unanswered"
    """No try got a response before the lease or the worker ended: Zeebe activates the job again, or has the reply."""
