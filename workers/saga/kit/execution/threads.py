"""Threads for blocking steps: a bounded number of daemons, which do not keep the process from ending."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from threading import Thread
from typing import Any, TypeVar

_T = TypeVar("_T")
_NOT_FOR_FUTURES = (StopIteration, GeneratorExit)
"""What an asyncio future does not accept, or what closes a coroutine."""


class Threads:
    """Runs functions on a bounded number of threads; further jobs wait for one, and stay active.

    At the end of the process, the standard library's pool waits for each of its threads; a daemon thread does not.
    """

    def __init__(self, most: int) -> None:
        """Use at most `most` threads; they are started when needed."""
        self._free = asyncio.Semaphore(most)
        self._running: dict[int, asyncio.Future[Any]] = {}

    @asynccontextmanager
    async def place(self, key: int) -> AsyncIterator[None]:
        """Wait until the job `key` may use a thread.

        The place is free again when the context is left and the thread has ended.
        """
        await self._free.acquire()
        try:
            yield
        finally:
            running = self._running.get(key)
            if running is None:
                self._free.release()
            else:
                running.add_done_callback(lambda _: self._free.release())

    async def run(self, key: int, function: Callable[[], _T]) -> _T:
        """Run the function of the job `key`, which has a place, on a thread, and return its result.

        A thread cannot be cancelled: if the caller is, the function goes on, and `returned` waits for it.
        """
        outcome: Future[_T] = Future()
        Thread(target=_settle, args=(outcome, copy_context(), function), name=f"job {key}", daemon=True).start()
        running = asyncio.wrap_future(outcome)
        self._running[key] = running
        running.add_done_callback(lambda _: self._end(key))
        return await asyncio.shield(running)

    async def returned(self, key: int) -> None:
        """Wait until the job's function has returned."""
        running = self._running.get(key)
        if running is not None:
            await asyncio.wait([running])

    def _end(self, key: int) -> None:
        self._running.pop(key).exception()  # Raised already, or too late for anybody to handle.


def _settle(outcome: "Future[_T]", context: Context, function: Callable[[], _T]) -> None:
    try:
        outcome.set_result(context.run(function))
    except _NOT_FOR_FUTURES as error:
        # A coroutine turns StopIteration into a RuntimeError too (PEP 479).
        bug = RuntimeError(f"the function raised {type(error).__name__}")
        bug.__cause__ = error
        outcome.set_exception(bug)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the waiting job has to get it
        outcome.set_exception(error)
