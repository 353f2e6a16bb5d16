"""Whether the broker answers for one task type: told once per outage, and looked at by the watchdog."""

import time

import grpc
import structlog

from saga.common.once_per_minute import OncePerMinute
from saga.kit.gateway.channel_watch import ChannelWatch

_BUSY = 60.0
"""Seconds for which a broker may refuse for being busy before that counts as unreachable."""
_log = structlog.get_logger(__name__)


class Reachability:
    """The ways to one task type, and since when each of them fails."""

    def __init__(self, task_type: str, link: ChannelWatch) -> None:
        """Begin unreached."""
        self._task_type = task_type
        self._link = link
        self._found = False
        self._failing: dict[str, float] = {}
        """Since when each way that fails does so."""
        self._busy: dict[str, float] = {}
        """Since when the broker has refused each way for being busy."""
        self._seldom = OncePerMinute()
        self._told: dict[str, grpc.StatusCode] = {}
        """What the log was told of it."""

    def lasts(self, patience: float) -> bool:
        """Tell whether the type was reached, and has not been out of reach for `patience` seconds, or refused for 60.

        Polls alone count: a broker may offer no streams.
        """
        now = time.monotonic()
        return self._found and not self.is_refused and now - self._failing.get("poll", now) <= patience

    @property
    def is_refused(self) -> bool:
        """Whether the broker has refused polls for long: then it counts as out of reach."""
        now = time.monotonic()
        return now - self._busy.get("poll", now) >= _BUSY

    def answered(self, way: str) -> None:
        """Note that the broker answered by `way`, `stream` or `poll`."""
        self._found = True
        if self._busy.pop(way, None) is not None:
            self._link.answered()
        self._recover(way)

    def failed(self, way: str, code: grpc.StatusCode, limit: str | None = None) -> None:
        """Note that the broker did not answer by `way`; `limit` says which of gRPC's own was in the way."""
        now = time.monotonic()
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED and limit is None:
            # Backpressure: the broker is there and busy, which is no news at night, unless it does not end.
            self._busy.setdefault(way, now)
            if self.is_refused and way == "poll":
                self._link.refused(round(now - self._busy[way]))
            if self._found:
                self._recover(way)
            return
        self._failing.setdefault(way, now)
        # While the link is down it has said so, once for all task types.
        if self._told.get(way) is not code and self._link.up.is_set() and self._seldom((way, code)):
            about = {} if limit is None else {"limit": limit}
            _log.warning("task type unreachable", task_type=self._task_type, way=way, code=code.name, **about)
            self._told[way] = code

    def _recover(self, way: str) -> None:
        self._failing.pop(way, None)
        if self._told.pop(way, None) is not None:
            _log.info("task type reachable again", task_type=self._task_type, way=way)
