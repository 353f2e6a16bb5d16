"""Lease ends on our own clock: each job has a deadline by its broker's clock, which may differ from ours."""

from collections import defaultdict
from math import inf

import structlog
from pyzeebe.proto.gateway_pb2 import ActivatedJob

from saga.common.once_per_minute import OncePerMinute

_KEY_BITS = 51
"""The lower bits of a key count, the upper ones are its partition (Zeebe's `Protocol.decodePartitionId`)."""
_LOGGED_FROM = 1.0
"""Seconds from which a clock that was set back is logged: nothing else shows leases that end too late."""
_ROUNDING = 0.002
"""Seconds by which a deadline, in whole milliseconds, may be inexact."""

_log = structlog.get_logger(__name__)
_once_per_broker = OncePerMinute()
"""For all task types of the process: a broker has one clock."""


class LeaseClock:
    """Tells when the lease of a job ends that may have waited in buffers; in seconds on `time.monotonic`'s clock.

    A job is read after its activation: the fastest one shows how far our clock is ahead at most. A job that was polled,
    or pushed down an idle stream, cannot have been activated before a known time: that shows how far our clock is ahead
    at least. If that is more, the broker's clock was set back, and the earlier knowledge is void. Knowledge does not
    expire otherwise: while jobs queue up in the buffers, none arrives fast.

    Each partition may have a broker, and a clock, of its own.
    """

    def __init__(self, seldom: OncePerMinute = _once_per_broker) -> None:
        """Start without knowledge: the first job counts as just activated. `seldom` limits the lines in the log."""
        self._seldom = seldom
        self._ahead: defaultdict[int, float] = defaultdict(lambda: inf)

    def lease_ends(self, job: ActivatedJob, lease: float, read: float, earliest: float = -inf) -> float:
        """Return when the lease of a job ends.

        Args:
            job: Has the deadline by its broker's clock.
            lease: The lease's length in seconds.
            read: When the job was read.
            earliest: The earliest possible time of its activation.
        """
        begun = job.deadline / 1000 - lease
        partition = job.key >> _KEY_BITS
        most = read - begun
        known = self._ahead[partition]
        is_void = known < earliest - begun - _ROUNDING
        set_back = earliest - begun - known
        if is_void and set_back > _LOGGED_FROM and self._seldom(partition):
            _log.warning("broker's clock was set back", partition=partition, seconds=round(set_back, 3))
        ahead = self._ahead[partition] = most if is_void else min(known, most)
        return begun + ahead + lease
