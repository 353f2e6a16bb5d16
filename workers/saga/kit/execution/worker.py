"""Run the steps: every job of every task type, over one channel, until the process is told to stop."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import inf
from random import Random

import grpc
import httpx
import structlog
from pyzeebe.proto.gateway_pb2 import ActivatedJob

from saga.kit.definition.handler import Handler
from saga.kit.definition.job import Job, about
from saga.kit.definition.outcomes import Fail, JobReply, StepError, bug
from saga.kit.definition.service import Participants, TokenOf, no_token
from saga.kit.execution import job_release
from saga.kit.execution.active_job import ActiveJob
from saga.kit.execution.admission import Admission
from saga.kit.execution.crash_guard import CrashGuard
from saga.kit.execution.doubt import Doubt
from saga.kit.execution.job_release import JobRelease
from saga.kit.execution.lease import Lease, Leases
from saga.kit.execution.middleware import JobOutcome, Middleware, teller
from saga.kit.execution.replies import JobReplies
from saga.kit.execution.retry_backlog import RetryBacklog
from saga.kit.execution.runner import Runner
from saga.kit.execution.served_type import ServedType
from saga.kit.execution.threads import Threads
from saga.kit.execution.watchdog import Watchdog
from saga.kit.gateway.backoff import MAX_BACKOFF
from saga.kit.gateway.channel_watch import ChannelWatch
from saga.kit.gateway.connection import stub
from saga.kit.settings import WorkerSettings
from saga.kit.subscription.job_request import JobRequest
from saga.kit.subscription.job_subscription import LANDING, JobSubscription
from saga.kit.subscription.poll_schedule import PollSchedule
from saga.kit.subscription.window import Window

_LAST_WORDS = 0.1
"""Seconds for what is ended at last to say what is in doubt; a step that refuses to end is left."""

_log = structlog.get_logger(__name__)


class Worker:
    """All task types of one process."""

    def __init__(  # noqa: PLR0913 - wired once, by name
        self,
        channel: grpc.aio.Channel,
        handlers: Mapping[str, Handler],
        services: Mapping[str, httpx.AsyncClient],
        settings: WorkerSettings,
        random: Random,
        *,
        middleware: Sequence[Middleware] = (),
        activations: CrashGuard | None = None,
        token: TokenOf = no_token,
        pace: PollSchedule | None = None,
        landing: float = LANDING,
        max_backoff: float = MAX_BACKOFF,
    ) -> None:
        """Wire the worker; nothing is sent before `run`.

        Args:
            channel: The way to the engine.
            handlers: The handlers by task type.
            services: One HTTP client per participant that the handlers name.
            settings: Lease, windows and times.
            random: The source of all jitter.
            middleware: What every job passes, the outermost first.
            activations: Counts what is begun and never answered; in memory only where none is given.
            token: Returns the proof for a participant of which task type asks; raises Broken where there is none.
            pace: How often idle task types poll; as many of them as there are decide that where none is given.
            landing: Seconds that a stop waits for polls and pushed jobs that are on their way.
            max_backoff: Seconds, at most, from a call to the broker that failed to the next try.
        """
        gateway = stub(channel)
        self._settings = settings
        self._link = ChannelWatch(channel)
        self._answers = JobReplies(gateway, self._link, random, self._failed, max_backoff=max_backoff)
        self._tell = teller(middleware)
        self._in_hand: dict[int, ActiveJob] = {}
        self._watchdog = Watchdog(handlers.values())
        self._leases = Leases(gateway, self._in_hand.values(), settings.lease, self._watchdog.turned)
        self._handing_back = JobRelease(self._answers, self._tell)
        self._waiting = RetryBacklog(self._leases, self._answers.deliver, self._tell)
        self._threads = Threads(settings.threads)
        self._activations = activations or CrashGuard(settings.activations)
        self._turns = Admission(self._activations, self._threads, self._leases, random)
        self._stopping = asyncio.Event()
        self._aborting = asyncio.Event()
        self._process = Window(settings.window)
        self._served: dict[str, ServedType] = {}
        participants = Participants(services, token)
        for task_type, handler in handlers.items():
            runner = Runner(handler, participants, self._threads, random, middleware)
            window = Window(settings.window_per_type, self._process)
            intake = JobSubscription(
                gateway,
                JobRequest(task_type, settings.name, settings.lease, handler.fetch),
                window,
                receive=self._receive,
                hand_back=self._hand_back,
                link=self._link,
                random=random,
                pace=pace or PollSchedule.of(len(handlers)),
                landing=landing,
                max_backoff=max_backoff,
            )
            self._served[task_type] = ServedType(handler, runner, window, intake)

    @property
    def unreachable(self) -> list[str]:
        """The task types for which the broker has not answered yet, or not for `settings.patience` seconds."""
        patience = self._settings.patience
        return [name for name, served in self._served.items() if not served.intake.reach.lasts(patience)]

    @property
    def ready(self) -> bool:
        """Whether the broker answers for every task type and the worker takes jobs."""
        return not self._stopping.is_set() and not self.unreachable

    @property
    def task_types(self) -> list[str]:
        """The task types that it works on."""
        return list(self._served)

    @property
    def in_hand(self) -> Counter[str]:
        """How many jobs are in hand, by task type."""
        return Counter(held.job.task_type for held in self._in_hand.values())

    @property
    def waiting(self) -> Counter[str]:
        """How many jobs failed and wait for their next try, by task type; none of them is in hand."""
        return self._waiting.jobs

    @property
    def extended(self) -> int:
        """How many leases were extended."""
        return self._leases.extended

    def stop(self) -> None:
        """Take no more jobs and end those in hand; said twice, hand back what is left at once."""
        if self._stopping.is_set():
            self._aborting.set()
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`; then drain, hand back what does not end in time, and return."""
        watching = asyncio.create_task(self._link.watch())
        keeping = asyncio.create_task(self._leases.keep())
        intakes = [served.intake for served in self._served.values()]
        taking_in = [asyncio.create_task(intake.run()) for intake in intakes]
        stopping = asyncio.create_task(self._stopping.wait())
        self._watchdog.start()
        try:
            # None of them ends by itself; if one does, that is a bug, and the process must not live on deaf.
            await asyncio.wait([watching, keeping, *taking_in, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._watchdog.end()
            self._stopping.set()
            self._process.close()
            for intake in intakes:
                intake.close()
            await asyncio.gather(*(intake.stop() for intake in intakes))
            await self._drain()
            for task in (watching, keeping, stopping):
                task.cancel()
            ended = await asyncio.gather(watching, keeping, *taking_in, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _drain(self) -> None:
        ending = asyncio.create_task(self._waiting.end())
        aborting = asyncio.create_task(self._aborting.wait())
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain):
                while (left := self._left(ending)) and not self._aborting.is_set():
                    await asyncio.wait([*left, aborting], return_when=asyncio.FIRST_COMPLETED)
        aborting.cancel()
        for held in list(self._in_hand.values()):
            if held.answer is None:
                held.handed_back = True
                self._forget(held)
                self._handing_back.begin(held.job, held.lease if held.runs else None)
            if held.answer is None or held.answered:  # else the broker is being told
                held.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(job_release.SECONDS):
                while left := [*self._left(ending), *self._handing_back.tasks]:
                    await asyncio.wait(left)
        late = [ending, *self._tasks(), *self._handing_back.tasks]
        for task in late:
            task.cancel()
        await asyncio.wait(late, timeout=_LAST_WORDS)

    def _left(self, ending: asyncio.Task[None]) -> list[asyncio.Task[None]]:
        """Return what a worker that stops still has to wait for."""
        return [*self._tasks(), *([] if ending.done() else [ending])]

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [held.task for held in self._in_hand.values() if held.task is not None]

    def _hand_back(self, activated: ActivatedJob) -> None:
        job = Job.of(activated)
        held = self._in_hand.get(job.key)
        if held is None or not held.answers(job):
            self._waiting.drop(job.key)
            self._handing_back.begin(job)

    def _receive(self, activated: ActivatedJob, lease_ends: float) -> None:
        job = Job.of(activated)
        held = self._in_hand.get(job.key)
        served = self._served[job.task_type]
        if (held is not None or job.key in self._waiting) and time.monotonic() >= lease_ends:
            # A copy that lay in a buffer until its lease was over: what we have of the job is younger.
            served.window.give_back()
        elif held is not None:
            if not held.comes_again(job, activated, lease_ends):
                served.window.give_back()
        else:
            self._waiting.drop(job.key)
            self._in_hand[job.key] = held = ActiveJob(job, served.handler, Lease(self._settings.lease, lease_ends))
            held.task = asyncio.create_task(self._work(held))

    async def _work(self, held: ActiveJob) -> None:
        job, lease = held.job, held.lease
        window = self._served[job.task_type].window
        arrived = time.monotonic()
        try:
            answer = await self._turns.answer(held, self._served[job.task_type].runner)
            if answer is None or held.handed_back:
                return
            held.answer = answer
            doubt = None
            now = await self._now(held, answer)
            if now is not None:
                window.returning += 1
                try:
                    told, doubt = await self._answers.deliver(job, now, lease)
                finally:
                    window.returning -= 1
                answer = answer if told is now else told
            held.answered = True
            if doubt is not Doubt.UNANSWERED:  # after which the broker gives the job out again
                self._forget(held)
            self._tell(JobOutcome(job, answer, doubt, time.monotonic() - arrived))
            await self._threads.returned(job.key)
        except asyncio.CancelledError:
            if held.answer is not None and not held.answered:
                self._forget(held)
                self._tell(JobOutcome(job, held.answer, Doubt.UNANSWERED, time.monotonic() - arrived))
            raise
        except Exception as error:  # noqa: BLE001 - a bug of ours must not make a job vanish unseen
            _log.error("bug in the worker", **about(job), exc_info=error)
            if not held.answered:
                await self._answers.deliver(job, bug(job.task_type, error), lease)
        finally:
            del self._in_hand[job.key]
            window.give_back()
            if held.again is not None:
                self._take_again(*held.again)

    def _failed(self, job: Job, error: StepError) -> JobReply:
        return self._served[job.task_type].runner.failed(job, error)

    def _forget(self, held: ActiveJob) -> None:
        """Count its activations no more: it has not killed its worker, if it had its turn."""
        if held.had_turn:
            self._activations.end(held.key)

    async def _now(self, held: ActiveJob, answer: JobReply) -> JobReply | None:
        """Return what the broker is to be told at once; None where it is told when a wait is over."""
        if not isinstance(answer, Fail) or not answer.backoff:
            return answer
        held.waits = True
        limit, held.lease.limit = held.lease.limit, inf  # The step's own time is over; this is ours.
        try:
            return await self._waiting.keep(held.job, answer, held.lease)
        finally:
            held.waits = False
            held.lease.limit = limit

    def _take_again(self, activated: ActivatedJob, lease_ends: float) -> None:
        is_over = time.monotonic() >= lease_ends  # It is somebody else's by now.
        if not is_over and not self._stopping.is_set():
            self._receive(activated, lease_ends)
            return
        self._served[activated.type].window.give_back()
        if not is_over:
            self._hand_back(activated)
