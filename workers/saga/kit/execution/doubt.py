"""Answers of which nobody knows whether the broker took them."""

from enum import StrEnum


class Doubt(StrEnum):
    """Why nobody knows whether the broker took an answer; the participant's effect stands in any case."""

    ANSWERED_BEFORE = "answered-before"
    """An earlier try got no reply and the job is gone since: most likely that try was taken."""
    LEASE_LOST = "lease-lost"
    """The job is gone, and our lease was over: most likely another worker has answered it."""
    ELEMENT_GONE = "element-gone"
    """The job is gone while our lease held: the instance was cancelled or left the element."""
    NOT_ALLOWED = "not-allowed"
    """The broker knows the job but takes no answer now, as while it has an incident."""
    UNANSWERED = "unanswered"
    """No try got a reply before the lease ended or the worker did: the job will be given out again, or was answered."""
