"""Whether the broker answers for one task type: told once per outage, and looked at by the watchdog."""

import time

import grpc
import structlog

from workers.kit.link import Link

_log = structlog.get_logger(__name__)


class Reach:
    """The ways to one task type, and since when each of them fails."""

    def __init__(self, task_type: str, link: Link) -> None:
        """Begin unreached."""
        self._task_type = task_type
        self._link = link
        self._found = False
        self._failing: dict[str, float] = {}
        """Since when each way that fails does so."""
        self._told: dict[str, grpc.StatusCode] = {}
        """What the log was told of it."""

    def lasts(self, patience: float) -> bool:
        """Tell whether the type was reached, and has not been out of reach for `patience` seconds.

        Polls alone count: a broker may offer no streams.
        """
        now = time.monotonic()
        return self._found and now - self._failing.get("poll", now) <= patience

    def answered(self, way: str) -> None:
        """Note that the broker answered by `way`, `stream` or `poll`."""
        self._found = True
        if way not in self._failing:
            return
        del self._failing[way]
        if self._told.pop(way, None):
            _log.info("task type reachable again", task_type=self._task_type, way=way)

    def failed(self, way: str, code: grpc.StatusCode) -> None:
        """Note that the broker did not answer by `way`."""
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
            if self._found:
                self.answered(way)
            return  # Backpressure: the broker is there and busy, which is no news at night.
        self._failing.setdefault(way, time.monotonic())
        # While the link is down it has said so, once for all task types.
        if self._told.get(way) is not code and self._link.up.is_set():
            _log.warning("task type unreachable", task_type=self._task_type, way=way, code=code.name)
            self._told[way] = code
