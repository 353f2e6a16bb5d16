"""How far the brokers' clocks are from ours, which jobs tell: each says by its broker's clock when its lease ends."""

from collections import defaultdict
from math import inf

from pyzeebe.proto.gateway_pb2 import ActivatedJob

_KEY_BITS = 51
"""The lower bits of a key count, the upper ones are its partition (Zeebe's `Protocol.decodePartitionId`)."""
_ROUNDING = 0.002
"""Seconds by which a deadline, in whole milliseconds, may be off."""


class Clocks:
    """Tells when the lease of a job ends, which may have waited in buffers; in seconds on `time.monotonic`'s clock.

    A job that was read has been given out before: the one that came fastest tells how far ahead our clock is at most.
    One that was asked for has been given out after that, which tells how far it is at least. Where that is more, the
    broker's clock was set back, and what was learnt before is void. No time makes it so: where a queue stands in the
    buffers, none of its jobs comes fast any more. Each partition may have a broker, and a clock, of its own.
    """

    def __init__(self) -> None:
        """Know nothing yet: the first job counts as just given out."""
        self._ahead: defaultdict[int, float] = defaultdict(lambda: inf)

    def lease_ends(self, job: ActivatedJob, lease: float, read: float, asked: float = -inf) -> float:
        """Return when the lease of `lease` seconds of a job ends that was read, and maybe asked for, then."""
        begun = job.deadline / 1000 - lease
        partition = job.key >> _KEY_BITS
        most = read - begun
        known = self._ahead[partition]
        is_void = known < asked - begun - _ROUNDING
        ahead = self._ahead[partition] = most if is_void else min(known, most)
        return begun + ahead + lease
