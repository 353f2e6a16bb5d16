"""The worker: it takes each job from its activation to its end.

    received → admitted → running → replying → replied → ended

A job that failed with a backoff is deferred before its reply: the retry backlog sends that later. When the worker
stops, the jobs that have no reply in time are released. active_job.py has the states and their transitions, wiring.py
connects the parts, serve.py runs and drains them.
"""

import asyncio
import time
from collections import Counter

import structlog
from pyzeebe.proto.gateway_pb2 import ActivatedJob

from saga.kit.definition.job import Job, about
from saga.kit.definition.outcomes import Fail, JobReply, bug
from saga.kit.execution.active_job import ActiveJob, JobState
from saga.kit.execution.doubt import Doubt
from saga.kit.execution.lease import Lease
from saga.kit.execution.middleware import JobOutcome
from saga.kit.execution.parts import WorkerParts
from saga.kit.execution.serve import StopRequest, serve

_log = structlog.get_logger(__name__)


class Worker:
    """All task types of one process."""

    def __init__(self, parts: WorkerParts) -> None:
        """Work with these parts; nothing is sent before `run`."""
        self._parts = parts
        self._active = parts.active
        self._served = parts.served
        self._backlog = parts.backlog
        self._stop = StopRequest()

    async def run(self) -> None:
        """Work until `stop`; then let the active jobs end, release those that do not end in time, and return."""
        await serve(self._parts, self._stop)

    def stop(self) -> None:
        """Take no more jobs and let the active ones end; called twice, release what is left at once."""
        self._stop.request()

    def receive(self, activated: ActivatedJob, lease_ends: float) -> None:
        """Start the life of a job that was activated and has a slot of its task type's window."""
        job = Job.of(activated)
        active = self._active.get(job.key)
        served = self._served[job.task_type]
        is_waiting = job.key in self._backlog
        if (active is not None or is_waiting) and time.monotonic() >= lease_ends:
            # A copy that lay in a buffer until its lease was over: the one that we have is younger.
            served.window.give_back()
        elif active is not None:
            if not active.keep_reactivation(job, activated, lease_ends):
                served.window.give_back()
        else:
            if is_waiting:
                self._backlog.drop(job.key)
            lease = Lease(self._parts.settings.lease, lease_ends)
            self._active[job.key] = active = ActiveJob(job, served.handler, lease)
            active.task = asyncio.create_task(self._live(active))

    async def _live(self, active: ActiveJob) -> None:
        """Take the job from its admission to its end."""
        job, parts = active.job, self._parts
        served = self._served[job.task_type]
        received = time.monotonic()
        was_admitted = False
        try:
            # received → admitted → running
            reply = await parts.admission.run(active, served.runner)
            if reply is None or active.state is JobState.RELEASED:  # None: its lease was lost before it began.
                return
            was_admitted = active.state is not JobState.RECEIVED
            sent: JobReply | None = reply
            doubt: Doubt | None = None
            # → deferred, if there is a backoff; then the backlog sends the reply, or it is sent now
            if isinstance(reply, Fail) and reply.backoff:
                active.defer(reply)
                sent = await self._backlog.keep(job, reply, active.lease)
            # → replying
            if sent is not None:
                active.start_reply(reply)
                served.window.replying += 1
                try:
                    last, doubt = await parts.replies.deliver(job, sent, active.lease)
                finally:
                    served.window.replying -= 1
                reply = reply if last is sent else last
            # → replied
            active.finish_reply()
            if was_admitted and doubt is not Doubt.UNANSWERED:  # Otherwise Zeebe activates the job again.
                parts.crash_guard.end(job.key)
            parts.report(JobOutcome(job, reply, doubt, time.monotonic() - received))
            if served.runner.may_block:
                await parts.threads.returned(job.key)
        except asyncio.CancelledError:  # The worker stops.
            self._cut_off(active, time.monotonic() - received, was_admitted=was_admitted)
            raise
        except Exception as error:  # noqa: BLE001 - a bug of ours must not make a job vanish unseen
            await self._reply_bug(active, error)
        finally:
            # → ended
            active.end()
            del self._active[job.key]
            served.window.give_back()
            if active.reactivation is not None:
                self._receive_again(*active.reactivation)

    def _cut_off(self, active: ActiveJob, seconds: float, *, was_admitted: bool) -> None:
        """Report the doubt of a job whose reply was cut off."""
        if active.reply is None or active.state is JobState.REPLIED:
            return
        if was_admitted:
            self._parts.crash_guard.end(active.key)  # The job has not killed its worker.
        self._parts.report(JobOutcome(active.job, active.reply, Doubt.UNANSWERED, seconds))

    async def _reply_bug(self, active: ActiveJob, error: Exception) -> None:
        """Make an incident of a bug in this module or in one below it."""
        _log.error("bug in the worker", **about(active.job), exc_info=error)
        if active.state not in (JobState.REPLIED, JobState.RELEASED):
            incident = bug(active.job.task_type, error)
            active.start_reply(incident)
            await self._parts.replies.deliver(active.job, incident, active.lease)

    def _receive_again(self, activated: ActivatedJob, lease_ends: float) -> None:
        """Receive a job that was activated again during its life, unless its new lease is over or the worker stops."""
        if time.monotonic() >= lease_ends:
            self._served[activated.type].window.give_back()
        elif self._stop.stopping.is_set():
            self._served[activated.type].window.give_back()
            self.release(activated)
        else:
            self.receive(activated, lease_ends)

    def release(self, activated: ActivatedJob) -> None:
        """Give back a job that was activated and found no slot; a copy of an active job needs no reply of its own."""
        job = Job.of(activated)
        active = self._active.get(job.key)
        if active is None or active.is_followed_by(job):
            self._backlog.drop(job.key)
            self._parts.releases.start(job)

    @property
    def ready(self) -> bool:
        """Whether the broker answers for every task type and the worker takes jobs."""
        return not self._stop.stopping.is_set() and not self.unreachable

    @property
    def unreachable(self) -> list[str]:
        """The task types for which the broker has not answered yet, or not for `settings.patience` seconds."""
        limit = self._parts.settings.patience
        return [name for name, served in self._served.items() if not served.subscription.reachability.lasts(limit)]

    @property
    def task_types(self) -> list[str]:
        """The task types that it works on."""
        return list(self._served)

    @property
    def active(self) -> Counter[str]:
        """How many jobs are active, by task type."""
        return Counter(active.job.task_type for active in self._active.values())

    @property
    def waiting(self) -> Counter[str]:
        """How many jobs wait in the retry backlog, by task type; they have no slots."""
        return self._backlog.jobs

    @property
    def extended(self) -> int:
        """How many leases were extended."""
        return self._parts.leases.extended
