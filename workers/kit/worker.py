"""Run the steps: every job of every task type, over one channel, until the process is told to stop."""

import asyncio
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import grpc
import httpx
import structlog
from pyzeebe.proto.gateway_pb2 import ActivatedJob

from workers.kit.answers import Answers, InDoubt
from workers.kit.connection import stub
from workers.kit.intake import Intake
from workers.kit.outcomes import Answer, Attempt, Broken, Complete, Fail, StepError, Throw, Unavailable, answer_to
from workers.kit.service import Service
from workers.kit.settings import WorkerSettings
from workers.kit.step import Handler, Job, Variables
from workers.kit.window import Window

_HANDLER_SHARE = 0.8
"""A handler ends within this share of the lease, so that its answer still arrives within it."""
_RECEIPT_LIMIT = 1_000_000
"""Bytes of a receipt; the broker's records hold all of an instance's variables and end at 4 MiB."""

_HAND_BACK = 2.0
"""Seconds in which a stopping worker gives back what it has left; the leases see to the rest."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _InHand:
    job: ActivatedJob
    task: asyncio.Task[None]


class Worker:
    """All task types of one process."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        handlers: Mapping[str, Handler],
        services: Mapping[str, httpx.AsyncClient],
        settings: WorkerSettings,
        random: Random,
    ) -> None:
        """Wire the worker; nothing is sent before `run`.

        Args:
            channel: The way to the engine.
            handlers: The handlers by task type.
            services: One HTTP client per participant that the handlers name.
            settings: Lease, windows and times.
            random: The source of all jitter.

        Raises:
            ValueError: The process's window is too small for an idle poll of each task type.
        """
        if settings.window < 2 * len(handlers):
            message = f"WORKER_WINDOW is {settings.window}; {len(handlers)} task types need {2 * len(handlers)} or more"
            raise ValueError(message)
        gateway = stub(channel)
        self._services = services
        self._settings = settings
        self._random = random
        self._answers = Answers(gateway, random, self._in_doubt)
        self._in_hand: dict[int, _InHand] = {}
        self._unstarted: list[ActivatedJob] = []
        self._windows: dict[str, Window] = {}
        self._stopping = asyncio.Event()
        self._aborting = asyncio.Event()
        process = Window(settings.window)
        self._intakes = []
        for handler in handlers.values():
            window = self._windows[handler.task_type] = Window(settings.window_per_type, process)
            self._intakes.append(
                Intake(
                    gateway,
                    handler,
                    window,
                    self._dispatch,
                    self._unstarted.append,
                    worker=settings.name,
                    lease=settings.lease,
                    random=random,
                )
            )

    @property
    def ready(self) -> bool:
        """Whether the broker answers for every task type and the worker takes jobs."""
        return not self._stopping.is_set() and all(intake.reachable for intake in self._intakes)

    def stop(self) -> None:
        """Take no more jobs and end those in hand; said twice, hand back what is left at once."""
        if self._stopping.is_set():
            self._aborting.set()
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`; then drain, hand back what does not end in time, and return."""
        intakes = [asyncio.create_task(intake.run()) for intake in self._intakes]
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            # An intake never ends by itself; if one does, that is a bug, and the process must not live on deaf.
            await asyncio.wait([*intakes, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*intakes, stopping):
                task.cancel()
            ended = await asyncio.gather(*intakes, return_exceptions=True)
            await self._drain()
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _drain(self) -> None:
        aborting = asyncio.create_task(self._aborting.wait())
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain):
                while self._in_hand and not self._aborting.is_set():
                    running = [in_hand.task for in_hand in self._in_hand.values()]
                    await asyncio.wait([*running, aborting], return_when=asyncio.FIRST_COMPLETED)
        aborting.cancel()
        left = [in_hand.job for in_hand in self._in_hand.values()]
        for in_hand in self._in_hand.values():
            in_hand.task.cancel()
        await self._hand_back([*self._unstarted, *left])

    async def _hand_back(self, jobs: list[ActivatedJob]) -> None:
        # Unchanged retries and no backoff: another worker has the job at once, not when our lease ends.
        ends = time.monotonic() + _HAND_BACK
        why = "handed back by a worker that stops"
        with suppress(TimeoutError):
            async with asyncio.timeout(_HAND_BACK):
                answers = (self._answers.deliver(job, Fail(job.retries, 0.0, why), ends) for job in jobs)
                await asyncio.gather(*answers)

    def _dispatch(self, handler: Handler, job: ActivatedJob) -> None:
        if job.key in self._in_hand:
            # Our lease ran out while the job is still running here: a second run beside the first helps nobody.
            self._windows[handler.task_type].give_back()
            return
        ends = time.monotonic() + self._settings.lease
        self._in_hand[job.key] = _InHand(job, asyncio.create_task(self._work(handler, job, ends)))

    async def _work(self, handler: Handler, job: ActivatedJob, ends: float) -> None:
        started = time.monotonic()
        log = _log.bind(task_type=job.type, job=job.key, instance=job.processInstanceKey, element=job.elementId)
        try:
            answer = await self._answer(handler, job, log)
            if await self._answers.deliver(job, answer, ends) is None:
                log.info("job answered", **_summary(answer), seconds=round(time.monotonic() - started, 3))
        finally:
            del self._in_hand[job.key]
            self._windows[handler.task_type].give_back()

    async def _answer(self, handler: Handler, job: ActivatedJob, log: structlog.typing.FilteringBoundLogger) -> Answer:
        try:
            return Complete(await self._run(handler, job))
        except Exception as error:  # noqa: BLE001 - the outcomes table has a line for every one of them
            if not isinstance(error, StepError):
                # The frames show where; the text stays out, for it may hold a customer's data.
                frames = traceback.format_tb(error.__traceback__)
                log.error("bug in a step", error=type(error).__name__, frames=frames)  # noqa: TRY400 - see above
            attempt = Attempt(job.type, job.retries, handler.retry, handler.refusals, handler.is_undo)
            return answer_to(error, attempt, self._random)

    async def _run(self, handler: Handler, job: ActivatedJob) -> str:
        variables = handler.parse(job.variables)
        limit = self._settings.lease * _HANDLER_SHARE
        timeout = asyncio.timeout(limit)
        try:
            async with timeout:
                receipt = await handler.function(variables, **self._arguments(handler, job, variables))
        except TimeoutError:
            if timeout.expired():
                message = f"{job.type} did not end within {limit:g} seconds; whether it took effect is unknown."
                raise Unavailable(message) from None
            raise
        if not isinstance(receipt, handler.receipt):
            message = f"{job.type} returned a {type(receipt).__name__}, not the {handler.receipt.__name__} it declares."
            raise Broken(message)
        encoded = f'{{"{handler.receipt_name}":{receipt.model_dump_json(by_alias=True)}}}'
        if len(encoded) > _RECEIPT_LIMIT:
            message = (
                f"{job.type} left a receipt of {len(encoded)} bytes; {_RECEIPT_LIMIT} are allowed. Keep less in it."
            )
            raise Broken(message)
        return encoded

    def _arguments(self, handler: Handler, job: ActivatedJob, variables: Variables) -> dict[str, object]:
        key = f"{variables.saga_id}/{job.type}"
        arguments: dict[str, object] = {name: Service(name, self._services[name], key) for name in handler.services}
        if handler.job_parameter is not None:
            arguments[handler.job_parameter] = Job(
                key=job.key,
                process_instance_key=job.processInstanceKey,
                element_id=job.elementId,
                retries=job.retries,
                deadline=job.deadline / 1000,
            )
        return arguments

    def _in_doubt(self, in_doubt: InDoubt) -> None:
        job = in_doubt.job
        _log.warning(
            "answer in doubt",
            doubt=in_doubt.doubt.value,
            task_type=job.type,
            job=job.key,
            instance=job.processInstanceKey,
            **_summary(in_doubt.answer),
        )


def _summary(answer: Answer) -> dict[str, object]:
    """Say an answer for a log line: without variables, which belong to the customer."""
    match answer:
        case Complete():
            return {"answer": "complete"}
        case Throw(code):
            return {"answer": "throw", "code": code}
        case Fail(retries, backoff, message):
            return {"answer": "fail", "retries": retries, "backoff": round(backoff, 3), "why": message}
