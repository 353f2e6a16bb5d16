"""The one writer: it takes commands one at a time, commits them in batches, and only then answers.

What arrives while a batch is being committed is the next batch. Nothing leaves before its batch is on the disk: no
answer, no rejection (it may rest on a command of the same batch), no pushed job, no answer to a poll.
"""

import asyncio
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .admission import Admission
from .batch import Batch, Commit, Entry, Store
from .core import Command, Engine, Record, Rejection
from .dispatch import Dispatcher, deliver
from .errors import Overdue, Stopping
from .fatal import ending
from .housekeeping import Housekeeping
from .polls import Activated, JobRequest, Poll
from .streams import JobStream

__all__ = ["Activated", "JobRequest", "Writer"]

DEFAULT_POLL = 10_000
"""Milliseconds that a poll waits if it does not say."""
DEFAULT_RESULT = 15_000
"""Milliseconds that a creation waits for the instance's result if it does not say."""
_LONGEST_WAIT = 60_000
"""Milliseconds after which what is due is looked up again: the machine's clock may have been set."""
_RESUMES = 20
"""How often in one batch left-over follow-ups go on; commands that have arrived meanwhile get their turn after it."""
_SLICE, _TURNS = 0.002, 4
"""Seconds of work after which the loop's other tasks get so many turns; a request takes some until it is answered."""


class Writer:
    """Takes commands from the gateway and REST; every method belongs to the one event loop."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        *,
        wall_clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        after_commit: Callable[[], None] = lambda: None,
        retention: int | None = None,
    ) -> None:
        """Write for `engine` to `store`.

        `wall_clock` gives milliseconds since 1970; `after_commit` is called between a commit and its answers.
        `retention` is how long ended instances are kept, in milliseconds; None keeps everything.
        """
        self.listeners: list[Callable[[Sequence[Record]], None]] = []
        """Called in the loop with the records of each batch after its commit."""
        self._engine = engine
        self._store = store
        self._now = wall_clock
        self._after_commit = after_commit
        self._next = Batch(Commit())
        self._arrived = asyncio.Event()
        self._dispatcher = Dispatcher(engine)
        self._awaited: dict[int, asyncio.Future[str]] = {}
        self._admission = Admission()
        self._closing = False
        self._slice_began = 0.0
        self._thread = ThreadPoolExecutor(1, "log")
        self._housekeeping = Housekeeping(engine, store, retention)

    async def send(self, command: Command) -> dict[str, Any]:
        """Carry out a command and return its response once its batch is on the disk.

        Raises:
            Rejection: (of core) It was refused; raised after the commit as well, for it may rest on the same batch.
            Busy: Too many commands wait.
            Stopping: The engine is shutting down.
        """
        return await self._enter(Entry(command))

    async def activate(self, request: JobRequest, max_jobs: int, request_timeout: int) -> Activated:
        """Activate jobs; where there are none, wait for them (long poll), the oldest waiting poll first.

        `request_timeout` is in milliseconds of real time: negative waits not at all, 0 is the default of 10 s.
        A task that is cancelled while it waits gives its jobs back by itself. Whoever cannot deliver what this
        returned (the client has gone) calls `give_back`.

        Raises:
            Busy: Too many commands or polls wait.
            Stopping: The engine is shutting down.
        """
        self._admission.check_command(len(self._next))
        with self._admission.poll():
            return await self._poll(Poll(request, max_jobs, waits=request_timeout >= 0), request_timeout)

    async def _poll(self, poll: Poll, request_timeout: int) -> Activated:
        self._next.polls.append(poll)
        self._arrived.set()
        try:
            await asyncio.wait([poll.answer], timeout=(request_timeout or DEFAULT_POLL) / 1000 if poll.waits else None)
            if not poll.answer.done():
                if self._dispatcher.polls.discard(poll):
                    return Activated([], truncated=False)
                # Its answer is being committed, or it was never tried because so much is to do.
                poll.waits = False
                await asyncio.wait([poll.answer])
        except asyncio.CancelledError:
            poll.abandoned = True
            self._dispatcher.polls.discard(poll)
            poll.answer.add_done_callback(self._give_back_answer)
            raise
        return poll.answer.result()

    def give_back(self, jobs: Sequence[dict[str, Any]]) -> None:
        """Make jobs activatable again that were activated and did not reach their client (JOB YIELD)."""
        now = self._engine.clock(self._now())
        for job in jobs:
            # Past its deadline the job may be somebody else's.
            if job["deadline"] > now:
                self._next.entries.append(Entry(Command("JOB", "YIELD", job["key"])))
                self._next.woken[job["type"]] += 1
                self._arrived.set()

    def open_stream(self, request: JobRequest) -> JobStream:
        """Open a stream of jobs; whoever opens it iterates it and closes it.

        Raises:
            Busy: Too many are open.
            Stopping: The engine is shutting down.
        """
        self._admission.check_stream(len(self._dispatcher.streams))
        stream = JobStream(request)
        self._dispatcher.streams.add(stream)
        return stream

    def close_stream(self, stream: JobStream) -> None:
        """Close a stream and give back what it has not sent."""
        self._dispatcher.streams.remove(stream)
        self.give_back(stream.close())

    async def create_with_result(self, value: dict[str, Any], request_timeout: int) -> dict[str, Any]:
        """Create an instance and wait for its end; the response of the creation with `variables` (JSON text) added.

        `value` is that of PROCESS_INSTANCE_CREATION CREATE_WITH_AWAITING_RESULT; `request_timeout` is in
        milliseconds of real time, 0 is the default of 15 s.

        Raises:
            Rejection: (of core) It was refused.
            Busy: Too many commands wait, or waits for a result.
            Stopping: The engine is shutting down.
            Overdue: The instance did not complete in time; it goes on.
        """
        milliseconds = request_timeout if request_timeout > 0 else DEFAULT_RESULT
        command = Command("PROCESS_INSTANCE_CREATION", "CREATE_WITH_AWAITING_RESULT", value=value)
        result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        try:
            with self._admission.result():
                async with asyncio.timeout(milliseconds / 1000):
                    response = await self._enter(Entry(command, result))
                    return {**response, "variables": await result}
        except TimeoutError:
            raise Overdue(milliseconds) from None
        finally:
            result.cancel()

    def clock(self) -> int:
        """Return the engine's time in milliseconds since 1970 (pinned or not)."""
        return self._engine.clock(self._now())

    def stop(self) -> None:
        """Refuse what comes from now on; streams, polls and waits for a result end with `Stopping`."""
        self._admission.stopping = True
        for stream in self._dispatcher.streams.all():
            stream.stop()
        self._end_waits()
        self._arrived.set()

    async def run(self) -> None:
        """Process batches until `close` is called and nothing waits any more."""
        while not self._closing or len(self._next):
            await self._wait()
            self._arrived.clear()
            batch, self._next = self._next, Batch(Commit())
            with ending("A batch could not be committed"):
                await self._process(batch)
            self._answer(batch)
            if self._housekeeping.is_due(clock := self.clock()):
                with ending("A snapshot could not be stored, or what is old not removed"):
                    await self._in_thread(self._housekeeping.run, clock)
        try:
            await self._in_thread(self._housekeeping.save_snapshot)
        except sqlite3.Error as error:
            sys.stderr.write(f"saga engine: No snapshot was stored ({error}); the next start reads all records.\n")
        self._thread.shutdown()

    def close(self) -> None:
        """Let `run` end: with what still waits, and a snapshot. Call it when nobody sends any more."""
        self._closing = True
        self._arrived.set()

    async def _enter(self, entry: Entry) -> dict[str, Any]:
        self._admission.check_command(len(self._next))
        batch = self._next
        batch.entries.append(entry)
        self._arrived.set()
        await batch.committed
        if isinstance(entry.response, Rejection):
            raise entry.response
        assert entry.response is not None  # noqa: S101 - each entry of a committed batch has one
        return entry.response

    async def _wait(self) -> None:
        """Wait until there is something to do."""
        if self._engine.has_pending():
            # Let in the requests that are there already.
            await asyncio.sleep(0)
            return
        due = (self._engine.wait(self._now()), self._housekeeping.wait(self.clock()))
        waits = [each for each in due if each is not None]
        timer = None
        if waits:
            timer = asyncio.get_running_loop().call_later(min(*waits, _LONGEST_WAIT) / 1000, self._arrived.set)
        await self._arrived.wait()
        if timer is not None:
            timer.cancel()

    async def _process(self, batch: Batch) -> None:
        now = self._now()
        for command in self._engine.due(now):
            batch.take(self._engine.process(command, now))
            await self._let_others_in()
        for entry in batch.entries:
            answer = self._engine.process(entry.command, now)
            entry.response = answer.response
            if entry.result is not None and isinstance(answer.response, dict):
                self._await_result(answer.response["processInstanceKey"], entry.result)
            batch.take(answer)
            await self._let_others_in()
        for _ in range(_RESUMES):
            if not self._engine.has_pending():
                break
            batch.take(self._engine.resume(now))
            await self._let_others_in()
        self._dispatcher.hand_out(batch, now)
        if batch.records:
            await self._in_thread(self._store.append, batch.records)
            self._after_commit()

    async def _let_others_in(self) -> None:
        """Let the loop's other tasks run for a moment once this has taken long; what they send waits for its batch."""
        if time.monotonic() - self._slice_began > _SLICE:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            self._slice_began = time.monotonic()

    async def _in_thread(self, work: Callable[..., None], *arguments: object) -> None:
        """Do it in the log's thread; nothing is processed meanwhile, so it may read what the core made."""
        await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _await_result(self, instance: int, result: asyncio.Future[str]) -> None:
        self._awaited[instance] = result
        result.add_done_callback(lambda _: self._awaited.pop(instance, None))

    def _answer(self, batch: Batch) -> None:
        """Let everything leave that waited for the commit."""
        batch.committed.set_result(None)
        self.give_back(deliver(batch))
        for instance, variables in batch.results.items():
            result = self._awaited.get(instance)
            if result is not None and not result.done():
                result.set_result(variables)
        if self._admission.stopping:
            self._end_waits()
        for listener in self.listeners:
            listener(batch.records)

    def _end_waits(self) -> None:
        for poll in self._dispatcher.polls.clear():
            poll.answer.set_exception(Stopping())
        for result in self._awaited.values():
            if not result.done():
                result.set_exception(Stopping())

    def _give_back_answer(self, answer: asyncio.Future[Activated]) -> None:
        if answer.exception() is None:
            self.give_back(answer.result().jobs)
