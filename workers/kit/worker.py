"""Run the steps: every job of every task type, over one channel, until the process is told to stop."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from random import Random

import grpc
import httpx
import structlog
from pyzeebe.proto.gateway_pb2 import ActivatedJob

from workers.kit.activations import Activations
from workers.kit.answers import Answers
from workers.kit.connection import stub
from workers.kit.doubt import Doubt
from workers.kit.handler import Handler
from workers.kit.in_hand import InHand
from workers.kit.intake import Intake, Subscription
from workers.kit.job import Job
from workers.kit.lease import Lease, Leases
from workers.kit.link import Link
from workers.kit.middleware import Ended, Middleware
from workers.kit.outcomes import Answer, Fail, Unavailable
from workers.kit.pace import Pace
from workers.kit.runner import Runner, about
from workers.kit.service import Participants, no_token
from workers.kit.settings import WorkerSettings
from workers.kit.threads import Threads
from workers.kit.waiting import Waiting
from workers.kit.window import Window

_HAND_BACK = 2.0
"""Seconds in which a stopping worker gives back what it has left; the leases see to the rest."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Served:
    """One task type: how its jobs come, and how they are run."""

    handler: Handler
    runner: Runner
    window: Window
    intake: Intake


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
        activations: Activations | None = None,
        token: Callable[[str], str] = no_token,
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
            token: Returns what proves to a participant which task type asks, at each command; raises Broken where there
                is nothing.
        """
        gateway = stub(channel)
        self._settings = settings
        self._link = Link(channel)
        self._answers = Answers(gateway, self._link, random)
        self._in_hand: dict[int, InHand] = {}
        self._leases = Leases(gateway, self._in_hand.values(), settings.lease)
        self._waiting = Waiting(self._leases, self._answers.deliver, self._tell)
        self._threads = Threads(settings.threads)
        self._activations = activations or Activations(settings.activations)
        self._ended = [each.ended for each in middleware if type(each).ended is not Middleware.ended]
        self._handing_back: set[asyncio.Task[object]] = set()
        self._stopping = asyncio.Event()
        self._aborting = asyncio.Event()
        self._process = Window(settings.window)
        self._served: dict[str, _Served] = {}
        pace = Pace.of(len(handlers))
        participants = Participants(services, token)
        for task_type, handler in handlers.items():
            runner = Runner(handler, participants, self._threads, random, middleware)
            window = Window(settings.window_per_type, self._process)
            intake = Intake(
                gateway,
                Subscription(task_type, settings.name, settings.lease, handler.fetch),
                window,
                receive=self._receive,
                hand_back=self._hand_back,
                link=self._link,
                random=random,
                pace=pace,
            )
            self._served[task_type] = _Served(handler, runner, window, intake)

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
        try:
            # None of them ends by itself; if one does, that is a bug, and the process must not live on deaf.
            await asyncio.wait([watching, keeping, *taking_in, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
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
        ending = asyncio.create_task(self._waiting.end(_HAND_BACK))
        aborting = asyncio.create_task(self._aborting.wait())
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain):
                while self._in_hand and not self._aborting.is_set():
                    running = [held.task for held in self._in_hand.values() if held.task is not None]
                    await asyncio.wait([*running, aborting], return_when=asyncio.FIRST_COMPLETED)
        aborting.cancel()
        for held in list(self._in_hand.values()):
            if held.task is not None:
                held.task.cancel()
            if not held.answered:  # else only a thread that nothing can end is left of it
                self._give_back(held.job)
                self._activations.end(held.key)
        if self._handing_back:
            await asyncio.wait(self._handing_back, timeout=_HAND_BACK)
        await ending

    def _hand_back(self, job: ActivatedJob) -> None:
        self._give_back(Job.of(job))

    def _give_back(self, job: Job) -> None:
        # Unchanged retries and no backoff: another worker has the job at once, not when our lease ends.
        answer = Fail(job.retries, 0.0, "handed back by a worker that stops, or was pushed more than it can do")
        lease = Lease(_HAND_BACK, time.monotonic() + _HAND_BACK)
        task = asyncio.create_task(self._answers.deliver(job, answer, lease))
        self._handing_back.add(task)
        task.add_done_callback(self._handing_back.discard)

    def _receive(self, activated: ActivatedJob, lease_ends: float) -> None:
        job = Job.of(activated)
        held = self._in_hand.get(job.key)
        if held is not None:
            if held.is_followed_by(job):
                held.again = activated, lease_ends
                return
            # Our lease ran out while the job is still running here: a second run beside the first helps nobody, and
            # what it came with is a new lease for the first.
            held.lease.ends = lease_ends
            self._served[job.task_type].window.give_back()
            return
        self._waiting.drop(job.key)
        handler = self._served[job.task_type].handler
        held = InHand(job, handler, Lease(self._settings.lease, lease_ends))
        self._in_hand[job.key] = held
        held.task = asyncio.create_task(self._work(held))

    async def _work(self, held: InHand) -> None:
        job, lease = held.job, held.lease
        arrived = time.monotonic()
        try:
            if self._activations.is_suspect(job.key):
                async with self._activations.one_suspect:
                    answer = await self._answer(held)
            else:
                answer = await self._answer(held)
            if answer is None:
                return
            held.answer = answer
            doubt = None
            now = await self._now(held, answer)
            if now is not None:
                doubt = await self._answers.deliver(job, now, lease)
            held.answered = True
            if doubt is not Doubt.UNANSWERED:  # after which the broker gives the job out again
                self._activations.end(job.key)
            self._tell(Ended(job, answer, doubt, time.monotonic() - arrived))
            if held.handler.is_blocking:
                await self._threads.returned(job.key)
        finally:
            del self._in_hand[job.key]
            self._served[job.task_type].window.give_back()
            if held.again is not None:
                self._take_again(*held.again)

    async def _now(self, held: InHand, answer: Answer) -> Answer | None:
        """Return what the broker is to be told at once; None where it is told when a wait is over."""
        if not isinstance(answer, Fail) or not answer.backoff:
            return answer
        held.waits = True
        held.lease.limit = inf  # The step's own time is over; this is ours.
        return await self._waiting.keep(held.job, answer, held.lease)

    def _take_again(self, activated: ActivatedJob, lease_ends: float) -> None:
        if self._stopping.is_set():
            self._served[activated.type].window.give_back()
            self._hand_back(activated)
        else:
            self._receive(activated, lease_ends)

    async def _answer(self, held: InHand) -> Answer | None:
        """Run the job to its answer; None where its lease was lost before it began."""
        job, lease, handler = held.job, held.lease, held.handler
        now = time.monotonic()
        # It has waited in gRPC's buffers or behind a suspect.
        if lease.is_short(now) and await self._leases.extend(job.key, lease):
            _log.info("lease lost before the job began", **about(job))
            return None
        if self._activations.are_used_up(job.key):
            return Fail(0, 0.0, _used_up(job, self._activations.most))
        self._activations.begin(job.key)
        runner = self._served[job.task_type].runner
        lease.limit = now + handler.limit
        held.runs = True
        try:
            return await runner.answer(job)
        except asyncio.CancelledError:
            if not held.expired or held.task is None or held.task.uncancel():
                raise  # The worker stops.
            took = time.monotonic() - now
            message = f"{job.task_type} did not end within {took:.3g} seconds; whether it took effect is unknown."
            return runner.failed(job, Unavailable(message))
        finally:
            held.runs = False

    def _tell(self, ended: Ended) -> None:
        for tell in self._ended:
            try:
                tell(ended)
            except Exception as error:  # noqa: BLE001 - who watches a job must not harm the next one
                _log.error("bug in a middleware", **about(ended.job), exc_info=error)


def _used_up(job: Job, most: int) -> str:
    return (
        f"{job.task_type} was begun {most} times and never answered: most likely it kills its worker. Look into the "
        "worker's log and its memory, mend the step or the variables, then retry."
    )
