"""The watchdog names the step that blocks the event loop: meanwhile, no other job of the process goes on."""

import sys
import threading
import time
from collections.abc import Iterable
from types import CodeType, FrameType

import structlog

from saga.common.once_per_minute import OncePerMinute
from saga.kit.definition.handler import Handler

INTERVAL = 1.0
"""Seconds between two checks."""
BLOCKED_AFTER = 3.0
"""Seconds without a beat after which the event loop counts as blocked: a lease lasts ten."""

_log = structlog.get_logger(__name__)


class Watchdog:
    """Watches the event loop of the thread that creates it, from a thread of its own."""

    def __init__(
        self, handlers: Iterable[Handler], interval: float = INTERVAL, blocked_after: float = BLOCKED_AFTER
    ) -> None:
        """Recognise the functions of `handlers` by their code; check every `interval` seconds."""
        self._interval = interval
        self._blocked_after = blocked_after
        self._steps: dict[CodeType, str] = {
            handler.function.__code__: handler.task_type
            for handler in handlers
            if hasattr(handler.function, "__code__")
        }
        self._thread = threading.get_ident()
        self._last_beat = time.monotonic()
        self._stopped = threading.Event()
        self._seldom = OncePerMinute()

    def beat(self) -> None:
        """Note that the event loop runs."""
        self._last_beat = time.monotonic()

    def start(self) -> None:
        """Start watching."""
        self.beat()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(self._interval):
            blocked = time.monotonic() - self._last_beat
            if blocked >= self._blocked_after and (frame := sys._current_frames().get(self._thread)):  # noqa: SLF001 - documented
                step, where = self._step_at(frame), f"{frame.f_code.co_filename}:{frame.f_lineno}"
                if self._seldom((step, where)):
                    _log.warning("event loop blocked", step=step, where=where, seconds=round(blocked, 1))

    def _step_at(self, frame: FrameType | None) -> str | None:
        while frame is not None:
            if step := self._steps.get(frame.f_code):
                return step
            frame = frame.f_back
        return None
