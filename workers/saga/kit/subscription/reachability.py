"""Whether the broker is reachable for one task type: logged once per outage, and shown by `/ready`."""

import time

import grpc
import structlog

from saga.common.once_per_minute import OncePerMinute
from saga.kit.gateway.channel_watch import ChannelWatch

_log = structlog.get_logger(__name__)


class Reachability:
    """Since when the stream and the poll of one task type fail.

    Each of them is a `method` here: `stream` or `poll`.
    """

    def __init__(self, task_type: str, channel_watch: ChannelWatch, busy_limit: float) -> None:
        """Start unreachable; a broker that is too busy for polls for `busy_limit` seconds is unreachable too."""
        self._task_type = task_type
        self._channel_watch = channel_watch
        self._busy_limit = busy_limit
        self._was_reached = False
        self._failing: dict[str, float] = {}
        """Since when each method that fails does so."""
        self._busy: dict[str, float] = {}
        """Since when the broker refuses each method because it is busy."""
        self._seldom = OncePerMinute()
        self._logged: dict[str, grpc.StatusCode] = {}
        """The status that was logged for each method."""

    def lasts(self, limit: float) -> bool:
        """Tell whether the type was reached, and was not unreachable for the last `limit` seconds.

        Only polls count: a broker may offer no streams.
        """
        now = time.monotonic()
        return self._was_reached and not self.is_refused and now - self._failing.get("poll", now) <= limit

    @property
    def is_refused(self) -> bool:
        """Whether the broker has refused polls for so long that it counts as unreachable."""
        now = time.monotonic()
        return now - self._busy.get("poll", now) >= self._busy_limit

    def answered(self, method: str) -> None:
        """Note that the broker responded to `method`."""
        self._was_reached = True
        if self._busy.pop(method, None) is not None:
            self._channel_watch.answered()
        self._recover(method)

    def failed(self, method: str, code: grpc.StatusCode, limit: str | None = None) -> None:
        """Note that `method` failed; `limit` describes the limit of gRPC that it exceeded, if it did."""
        now = time.monotonic()
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED and limit is None:
            # Backpressure: the broker is available and busy, which is not worth a line in the log unless it lasts.
            self._busy.setdefault(method, now)
            if self.is_refused and method == "poll":
                self._channel_watch.refused(round(now - self._busy[method]))
            if self._was_reached:
                self._recover(method)
            return
        self._failing.setdefault(method, now)
        # While the channel is down, it has logged that, once for all task types.
        if self._logged.get(method) is not code and self._channel_watch.up.is_set() and self._seldom((method, code)):
            about = {} if limit is None else {"limit": limit}
            _log.warning("task type unreachable", task_type=self._task_type, way=method, code=code.name, **about)
            self._logged[method] = code

    def _recover(self, method: str) -> None:
        self._failing.pop(method, None)
        if self._logged.pop(method, None) is not None:
            _log.info("task type reachable again", task_type=self._task_type, way=method)
