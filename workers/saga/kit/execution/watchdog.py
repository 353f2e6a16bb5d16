"""Names the step that blocks the event loop: while it does, no other job of the process goes on."""

import sys
import threading
import time
from collections.abc import Iterable
from types import CodeType, FrameType

import structlog

from saga.common.once_per_minute import OncePerMinute
from saga.kit.definition.handler import Handler

_LOOK = 1.0
"""Seconds between two looks, of a thread of its own."""
_BLOCKED = 3.0
"""Seconds without a turn of the event loop after which it is said: a lease lasts ten."""

_log = structlog.get_logger(__name__)


class Watchdog:
    """Watches the thread that made it from another one."""

    def __init__(self, handlers: Iterable[Handler]) -> None:
        """Know the functions of `handlers` by their code."""
        self._steps: dict[CodeType, str] = {
            handler.function.__code__: handler.task_type
            for handler in handlers
            if hasattr(handler.function, "__code__")
        }
        self._thread = threading.get_ident()
        self._turned = time.monotonic()
        self._ended = threading.Event()
        self._seldom = OncePerMinute()

    def turned(self) -> None:
        """Note that the event loop turns."""
        self._turned = time.monotonic()

    def start(self) -> None:
        """Begin to watch."""
        self.turned()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def end(self) -> None:
        """Watch no more."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK):
            blocked = time.monotonic() - self._turned
            if blocked >= _BLOCKED and (frame := sys._current_frames().get(self._thread)):  # noqa: SLF001 - documented
                step, where = self._step_at(frame), f"{frame.f_code.co_filename}:{frame.f_lineno}"
                if self._seldom((step, where)):
                    _log.warning("event loop blocked", step=step, where=where, seconds=round(blocked, 1))

    def _step_at(self, frame: FrameType | None) -> str | None:
        while frame is not None:
            if step := self._steps.get(frame.f_code):
                return step
            frame = frame.f_back
        return None
