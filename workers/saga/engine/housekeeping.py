"""What the writer does between batches: it stores snapshots, and removes what is older than the retention."""

import time

from .batch import Store
from .core import Engine

SNAPSHOT_EVERY = 50_000
"""Records between two snapshots, and as many as there are elements where that is more: a start after a crash replays no
more than these, which takes 0.4 s, and a snapshot costs less than the records since the one before."""
_SNAPSHOT_AFTER = 3_600_000
"""Milliseconds of engine time between two snapshots, and the retention where that is longer: what is not in a snapshot
is never removed from the log. Without a retention there is no need for it."""
_RESTS = 4
"""How much longer than a portion took the writer works for others before it removes the next one."""
_SHORTEST_WAIT = 1000
"""Milliseconds between two looks at what has become too old."""


class Housekeeping:
    """When a snapshot is due, and what to remove; one thread at a time uses it."""

    def __init__(self, engine: Engine, store: Store, retention: int | None) -> None:
        """Keep ended instances for `retention` milliseconds of engine time; None keeps everything."""
        self._engine = engine
        self._store = store
        self._retention = retention
        # What the log has behind its snapshot counts: an engine that is killed again and again stores one too.
        self._snapshot_at = store.snapshot_position()
        self._snapshot_time = 0
        self._looked = 0
        self._due = 0
        """Engine time at which there may be something to remove, if it does not go back before `_looked`."""
        self._not_before = 0.0
        """Time of the machine's monotonic clock, in seconds, at which the next portion may be removed."""

    def wait(self, clock: int) -> float | None:
        """Return the milliseconds until something is due; None for never. `clock` is the engine's time."""
        if self._retention is None:
            return None
        if self._is_old(clock):
            return max(0.0, (self._not_before - time.monotonic()) * 1000)
        return max(_SHORTEST_WAIT, self._due - clock)

    def is_due(self, clock: int) -> bool:
        """Tell whether there is something to do at `clock`, the engine's time."""
        if self._is_long():
            return True
        return self._retention is not None and self._is_old(clock) and time.monotonic() >= self._not_before

    def run(self, clock: int) -> None:
        """Store a snapshot if one is due, and remove one portion; meanwhile nothing else uses the engine.

        Raises:
            sqlite3.Error: The log cannot be written: end the process.
        """
        began = time.monotonic()
        if self._retention is None:
            self.save_snapshot()
            return
        every = max(self._retention, _SNAPSHOT_AFTER)
        if self._is_long() or not 0 <= clock - self._snapshot_time < every:
            if self._added:
                self.save_snapshot()
            self._snapshot_time = clock
        oldest = self._store.remove_older(clock - self._retention)
        self._looked = clock
        self._due = min((clock if oldest is None else oldest) + self._retention, self._snapshot_time + every)
        now = time.monotonic()
        self._not_before = now + _RESTS * (now - began)

    def save_snapshot(self) -> None:
        """Store a snapshot of the state as it is now; meanwhile nothing else uses the engine.

        Raises:
            sqlite3.Error: It is not stored.
        """
        self._store.save_snapshot(self._engine.snapshot(), self._engine.position)
        self._snapshot_at = self._engine.position

    @property
    def _added(self) -> int:
        """How many records are behind the snapshot."""
        return self._engine.position - self._snapshot_at

    def _is_long(self) -> bool:
        return self._added >= max(SNAPSHOT_EVERY, self._engine.size())

    def _is_old(self, clock: int) -> bool:
        return not self._looked <= clock < self._due
