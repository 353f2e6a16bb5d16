"""How far the brokers' clocks are from ours, which jobs tell: each says by its broker's clock when its lease ends."""

from collections import defaultdict
from math import inf

import structlog
from pyzeebe.proto.gateway_pb2 import ActivatedJob

from saga.common.once_per_minute import OncePerMinute

_KEY_BITS = 51
"""The lower bits of a key count, the upper ones are its partition (Zeebe's `Protocol.decodePartitionId`)."""
_TOLD = 1.0
"""Seconds from which a clock that was set back is told: leases that run out too late are not seen elsewhere."""
_ROUNDING = 0.002
"""Seconds by which a deadline, in whole milliseconds, may be off."""

_log = structlog.get_logger(__name__)
_seldom = OncePerMinute()
"""For all task types of the process: a broker has one clock."""


class LeaseClock:
    """Tells when the lease of a job ends, which may have waited in buffers; in seconds on `time.monotonic`'s clock.

    A job that was read has been given out before: the one that came fastest tells how far ahead our clock is at most.
    Of one that was polled, or came down an idle stream, is known since when it can have been given out, which tells how
    far ahead our clock is at least. Where that is more, the broker's clock was set back, and what was learnt before is
    void. Time alone does not make it so: where a queue stands in the buffers, no job comes fast any more.

    Each partition may have a broker, and a clock, of its own.
    """

    def __init__(self) -> None:
        """Know nothing yet: the first job counts as just given out."""
        self._ahead: defaultdict[int, float] = defaultdict(lambda: inf)

    def lease_ends(self, job: ActivatedJob, lease: float, read: float, earliest: float = -inf) -> float:
        """Return when the lease of a job ends.

        Args:
            job: Says when, by its broker's clock.
            lease: The seconds that it was given out for.
            read: When it was read.
            earliest: It was not given out before that.
        """
        begun = job.deadline / 1000 - lease
        partition = job.key >> _KEY_BITS
        most = read - begun
        known = self._ahead[partition]
        is_void = known < earliest - begun - _ROUNDING
        set_back = earliest - begun - known
        if is_void and set_back > _TOLD and _seldom(partition):
            _log.warning("broker's clock was set back", partition=partition, seconds=round(set_back, 3))
        ahead = self._ahead[partition] = most if is_void else min(known, most)
        return begun + ahead + lease
