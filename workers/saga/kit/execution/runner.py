"""Run one step for one job: parse, call, encode, and say by the outcomes table what the engine is told."""

import asyncio
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

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
    answer_to,
    bug,
    throw,
)
from saga.kit.definition.service import BlockingService, Participants
from saga.kit.definition.variables import Variables
from saga.kit.execution.middleware import Middleware, Proceed, chained
from saga.kit.execution.threads import Threads

_log = structlog.get_logger(__name__)


class Runner:
    """One handler with everything it needs."""

    def __init__(
        self,
        handler: Handler,
        participants: Participants,
        threads: Threads,
        random: Random,
        middleware: Sequence[Middleware],
    ) -> None:
        """Wire the handler to its participants, and put `middleware` around it; `threads` is for what blocks."""
        self._handler = handler
        self._participants = participants
        self._threads = threads
        self._random = random
        # Its retries are those of the job, which the engine counts down from the do's.
        undo = handler.undo and replace(handler.undo, retry=handler.retry)
        self._undo = Runner(undo, participants, threads, random, []) if undo else None
        self.answer: Proceed = chained(middleware, self._guarded(self._step), self._guarded)
        """Runs the job to its answer; it raises nothing but its own cancellation."""

    @property
    def task_type(self) -> str:
        """Whose jobs it runs."""
        return self._handler.task_type

    def needs_thread(self, job: Job) -> bool:
        """Whether the job is run on a thread: its function blocks, or the undo that it is told to run in its place."""
        if self._handler.is_blocking:
            return True
        return self._undo is not None and self._undo.needs_thread(job) and Compensate.of(job) is not None

    def failed(self, job: Job, error: BaseException) -> JobReply:
        """Say what the engine is told when the job ended in `error`; never raises, whatever the step does."""
        try:
            return self._failed(job, error)
        except BaseException as another:  # noqa: BLE001 - the last guard: every job gets an answer
            with suppress(Exception):
                frames = traceback.format_tb(another.__traceback__)
                _log.error("bug in a failure", **about(job), error=type(another).__name__, frames=frames)
            return bug(job.task_type, another)

    def _failed(self, job: Job, error: BaseException) -> JobReply:
        if self._undo is not None and Compensate.of(job) is not None:
            return self._undo.failed(replace(job, task_type=self._undo.task_type), error)
        if not isinstance(error, (StepError, TimeoutError, ConnectionError)):
            # The frames show where; the text stays out, for it may hold a customer's data.
            frames = traceback.format_tb(error.__traceback__)
            _log.error("bug in a step", **about(job), error=type(error).__name__, frames=frames)
        handler = self._handler
        retry = handler.retry
        is_refusal = isinstance(error, Declined) and error.code in handler.refusals
        # Those two are not the step's own, and their headers were not what went wrong.
        is_about_job = isinstance(error, PoisonJob | ResultRefused)
        if "retr" in job.headers.lower() and not (is_refusal or is_about_job):
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
        return answer_to(error, attempt, self._random)

    def _guarded(self, proceed: Proceed) -> Proceed:
        async def answer(job: Job) -> JobReply:
            task = asyncio.current_task()
            try:
                return await proceed(job)
            except asyncio.CancelledError as error:
                if task is None or task.cancelling():
                    raise
                return self.failed(job, error)  # A bug: it has waited for what somebody cancelled.
            except GeneratorExit as error:
                if asyncio.current_task() is not task:
                    raise  # This coroutine is closed, and not run.
                return self.failed(job, error)
            except BaseException as error:  # noqa: BLE001 - the table has a line for each; none may end the worker
                return self.failed(job, error)

        return answer

    async def _step(self, job: Job) -> JobReply:
        handler = self._handler
        if self._undo is not None and (told := Compensate.of(job)) is not None:
            answer = await self._undo.answer(replace(job, task_type=self._undo.task_type))
            return throw(Declined(told.code, told.message), job.task_type) if isinstance(answer, Complete) else answer
        variables = handler.parse(job.variables)
        arguments = self._arguments(job, variables)
        if handler.is_blocking:
            call = partial(handler.function, variables, **arguments)
            receipt = await self._threads.run(job.key, call)
        else:
            receipt = await handler.function(variables, **arguments)
        return Complete(handler.encode(receipt))

    def _arguments(self, job: Job, variables: Variables) -> dict[str, Any]:
        handler = self._handler
        arguments: dict[str, Any] = {}
        for name in handler.services:
            service = self._participants.service(name, variables.saga_id, job)
            loop = asyncio.get_running_loop()
            arguments[name] = BlockingService(service, loop) if handler.is_blocking else service
        if handler.job_parameter is not None:
            arguments[handler.job_parameter] = job
        return arguments
