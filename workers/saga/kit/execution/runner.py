"""Run one step for one job: parse the variables, call the function, encode the receipt; failures become replies."""

import asyncio
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from random import Random

import structlog

from saga.kit.definition.compensate import Compensate
from saga.kit.definition.handler import Handler
from saga.kit.definition.headers import HeaderError, retry_of
from saga.kit.definition.job import Job, about
from saga.kit.definition.outcomes import (
    Attempt,
    Broken,
    Complete,
    Declined,
    JobReply,
    PoisonJob,
    ResultRefused,
    StepError,
    bug,
    complete,
    reply_to,
    throw,
)
from saga.kit.definition.service import Participants
from saga.kit.execution.middleware import Middleware, Proceed, chained
from saga.kit.execution.threads import Threads

_log = structlog.get_logger(__name__)


class Runner:
    """One handler, ready to run."""

    def __init__(
        self,
        handler: Handler,
        participants: Participants,
        threads: Threads,
        random: Random,
        middleware: Sequence[Middleware],
    ) -> None:
        """Connect the handler to its participants, with `middleware` around it; blocking functions run on `threads`."""
        self._handler = handler
        self._participants = participants
        self._threads = threads
        self._random = random
        # Its retries are those of the job, which Zeebe counts down from the do's.
        undo = handler.undo and replace(handler.undo, retry=handler.retry)
        self._undo = Runner(undo, participants, threads, random, []) if undo else None
        self.may_block: bool = handler.is_blocking or (self._undo is not None and self._undo.may_block)
        """Whether some jobs run on a thread; `needs_thread` tells which."""
        self.run: Proceed = chained(middleware, self._guarded(self._step), self._guarded)
        """Runs the step for a job and returns the reply; raises nothing but its own cancellation."""

    @property
    def task_type(self) -> str:
        """The task type of its jobs."""
        return self._handler.task_type

    def needs_thread(self, job: Job) -> bool:
        """Tell whether the job runs on a thread: its function blocks, or the undo that runs in its place does."""
        if self._handler.is_blocking:
            return True
        return self._undo is not None and self._undo.needs_thread(job) and Compensate.of(job) is not None

    def failed(self, job: Job, error: BaseException) -> JobReply:
        """Return the reply for a job that ended in `error`; never raises, whatever the step does."""
        try:
            return self._failed(job, error)
        except BaseException as another:  # noqa: BLE001 - the last guard: every job gets a reply
            with suppress(Exception):
                frames = traceback.format_tb(another.__traceback__)
                _log.error("bug in a failure", **about(job), error=type(another).__name__, frames=frames)
            return bug(job.task_type, another)

    def _failed(self, job: Job, error: BaseException) -> JobReply:
        if self._undo is not None and Compensate.of(job) is not None:
            return self._undo.failed(replace(job, task_type=self._undo.task_type), error)
        if not isinstance(error, (StepError, TimeoutError, ConnectionError)):
            # The frames show where; the text is left out, because it may hold a customer's data.
            frames = traceback.format_tb(error.__traceback__)
            _log.error("bug in a step", **about(job), error=type(error).__name__, frames=frames)
        handler = self._handler
        retry = handler.retry
        # The step's retry policy does not matter for these; wrong headers must not hide them.
        is_refusal = isinstance(error, Declined) and error.code in handler.refusals
        is_final = is_refusal or isinstance(error, PoisonJob | ResultRefused)
        if "retr" in job.headers.lower() and not is_final:
            try:
                retry = retry_of(handler.retry, job.headers)
            except HeaderError as wrong:
                error = Broken(str(wrong))
        attempt = Attempt(
            job.task_type,
            job.retries,
            retry,
            handler.refusals,
            handler.saga_of(job.variables),
            handler.undoes,
            handler.services,
        )
        return reply_to(error, attempt, self._random)

    def _guarded(self, proceed: Proceed) -> Proceed:
        async def run(job: Job) -> JobReply:
            task = asyncio.current_task()
            try:
                return await proceed(job)
            except asyncio.CancelledError as error:
                if task is None or task.cancelling():
                    raise
                return self.failed(job, error)  # A bug: the step awaited something that was cancelled.
            except GeneratorExit as error:
                if asyncio.current_task() is not task:
                    raise  # This coroutine is being closed.
                return self.failed(job, error)
            except BaseException as error:  # noqa: BLE001 - the table has a row for each; none may end the worker
                return self.failed(job, error)

        return run

    async def _step(self, job: Job) -> JobReply:
        handler = self._handler
        if self._undo is not None and (order := Compensate.of(job)) is not None:
            reply = await self._undo.run(replace(job, task_type=self._undo.task_type))
            return throw(Declined(order.code, order.message), job.task_type) if isinstance(reply, Complete) else reply
        variables = handler.parse(job.variables)
        arguments = self._participants.arguments(handler, variables.saga_id, job) if handler.services else {}
        if handler.job_parameter is not None:
            arguments[handler.job_parameter] = job
        if handler.is_blocking:
            receipt = await self._threads.run(job.key, partial(handler.function, variables, **arguments))
        else:
            receipt = await handler.function(variables, **arguments)
        return complete(handler.encode(receipt))
