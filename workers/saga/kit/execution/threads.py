"""Threads for steps that block: a bounded number, none of which keeps the process from ending."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from threading import Thread
from typing import Any, TypeVar

_T = TypeVar("_T")
_THE_LOOP_S_OWN = (StopIteration, GeneratorExit)
"""What no asyncio future takes, or what means to a coroutine that it is closed."""


class Threads:
    """Runs functions on at most so many threads at once; the others wait, in hand all the same.

    The standard library's pool waits at the process's end for every thread of it; a daemon of our own does not.
    """

    def __init__(self, most: int) -> None:
        """Use `most` threads; they are started when needed."""
        self._free = asyncio.Semaphore(most)
        self._running: dict[int, asyncio.Future[Any]] = {}

    @asynccontextmanager
    async def place(self, key: int) -> AsyncIterator[None]:
        """Wait until the job `key` may use a thread.

        The place is free again when the context is left and the thread, should it still run, has ended.
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
        """Run the function of the job `key`, which has its place, on a thread, and return what it returns.

        Nothing can end a thread: where the caller is cancelled, the function goes on, and `returned` waits for it.
        """
        outcome: Future[_T] = Future()
        Thread(target=_settle, args=(outcome, copy_context(), function), name=f"job {key}", daemon=True).start()
        running = asyncio.wrap_future(outcome)
        self._running[key] = running
        running.add_done_callback(lambda _: self._end(key))
        return await asyncio.shield(running)

    async def returned(self, key: int) -> None:
        """Wait until the job's function, should it still run, has returned."""
        running = self._running.get(key)
        if running is not None:
            await asyncio.wait([running])

    def _end(self, key: int) -> None:
        self._running.pop(key).exception()  # Told already, or of no interest to anybody any more.


def _settle(outcome: "Future[_T]", context: Context, function: Callable[[], _T]) -> None:
    try:
        outcome.set_result(context.run(function))
    except _THE_LOOP_S_OWN as error:
        # A coroutine makes the same of the first of them (PEP 479).
        bug = RuntimeError(f"the function raised {type(error).__name__}")
        bug.__cause__ = error
        outcome.set_exception(bug)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the waiting job has to hear of it
        outcome.set_exception(error)
