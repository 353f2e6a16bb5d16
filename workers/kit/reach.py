"""Whether the broker answers for one task type: told once per outage, and looked at by the watchdog."""

import time

import grpc
import structlog

_log = structlog.get_logger(__name__)


class Reach:
    """The ways to one task type, and since when each of them fails."""

    def __init__(self, task_type: str) -> None:
        """Begin unreached."""
        self._task_type = task_type
        self._found = False
        self._failing: dict[str, tuple[float, grpc.StatusCode]] = {}

    def lasts(self, patience: float) -> bool:
        """Tell whether the type was reached, and has not been out of reach for `patience` seconds.

        Polls alone count: a broker may offer no streams.
        """
        since, _ = self._failing.get("poll", (time.monotonic(), None))
        return self._found and time.monotonic() - since <= patience

    def answered(self, way: str) -> None:
        """Note that the broker answered by `way`, `stream` or `poll`."""
        self._found = True
        if self._failing and self._failing.pop(way, None) is not None:
            _log.info("broker reachable again", task_type=self._task_type, way=way)

    def found(self) -> None:
        """Note that a poll that does not wait was answered.

        At the beginning that will do; after a failure it proves nothing: a gateway whose broker is away answers too.
        """
        self._found = True

    def failed(self, way: str, code: grpc.StatusCode) -> None:
        """Note that the broker did not answer by `way`."""
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED and self._found:
            self.answered(way)  # Backpressure: the broker is there and busy, which is no news at night.
            return
        since, said = self._failing.get(way, (time.monotonic(), None))
        if said is not code:
            _log.warning("broker unreachable", task_type=self._task_type, way=way, code=code.name)
        self._failing[way] = (since, code)
