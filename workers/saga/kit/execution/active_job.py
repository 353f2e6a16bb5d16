"""An active job: the state that it is in, and the transitions between the states."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog
from pyzeebe.proto.gateway_pb2 import ActivatedJob

from saga.kit.definition.handler import Handler
from saga.kit.definition.job import Job, about
from saga.kit.definition.outcomes import Fail, JobReply, Unavailable
from saga.kit.execution.lease import Lease
from saga.kit.execution.runner import Runner

_log = structlog.get_logger(__name__)


class JobState(StrEnum):
    """Where an active job is in its life."""

    RECEIVED = "received"
    """It was activated, holds a slot and waits for its admission."""
    ADMITTED = "admitted"
    """Its lease lasts, it has a thread if it needs one, and its activation was counted."""
    RUNNING = "running"
    """Its step runs."""
    DEFERRED = "deferred"
    """It failed with a backoff and waits for a place in the retry backlog."""
    REPLYING = "replying"
    """Its reply is being sent to Zeebe."""
    REPLIED = "replied"
    """Nothing is left to send, or the retry backlog sends it; the slot is kept while the job's thread still runs."""
    RELEASED = "released"
    """The worker stops and gives the job back to Zeebe, whatever its step still returns."""
    ENDED = "ended"
    """Its slot is free."""


RECEIVED, ADMITTED, RUNNING, DEFERRED, REPLYING, REPLIED, RELEASED, ENDED = JobState
"""Names of their own: each job reads them a dozen times, and Python 3.11 takes long to find a member by its class."""

TRANSITIONS: Final[Mapping[JobState, frozenset[JobState]]] = {
    RECEIVED: frozenset(
        # Without admission, the reply is that it was not run.
        {ADMITTED, DEFERRED, REPLYING, RELEASED, ENDED}
    ),
    # A poison job is replied to without a run.
    ADMITTED: frozenset({RUNNING, REPLYING, RELEASED, ENDED}),
    RUNNING: frozenset({DEFERRED, REPLYING, RELEASED, ENDED}),
    DEFERRED: frozenset({REPLYING, REPLIED, ENDED}),
    # After a bug of the worker, an incident replaces the reply.
    REPLYING: frozenset({REPLYING, REPLIED, ENDED}),
    REPLIED: frozenset({ENDED}),
    RELEASED: frozenset({ENDED}),
    ENDED: frozenset(),
}
"""The states that may follow each state. A job can end in any of them: its task may be cancelled, or have a bug."""


class IllegalTransitionError(RuntimeError):
    """A job was to enter a state that cannot follow the one it is in: a bug of the worker."""


@dataclass(slots=True, eq=False)
class ActiveJob:
    """One job between its activation and the moment its slot is free."""

    job: Job
    handler: Handler
    lease: Lease
    state: JobState = RECEIVED
    task: asyncio.Task[None] | None = None
    """Its life; None only until that is started."""
    reply: JobReply | None = None
    """What Zeebe is sent. A field of its own: the state says whether there is one, this says which."""
    reactivation: tuple[ActivatedJob, float] | None = None
    """Its latest activation after our reply, and the end of that lease; it holds a second slot.

    A field of its own: Zeebe may activate the job again whether its reply is under way, sent, or lost.
    """
    cancellations: int = 0
    """How often its step was cancelled because its time was over.

    A field of its own: a step may swallow a cancellation, and asyncio wants each one taken back.
    """
    _next_cancellation: float = 0.0

    @property
    def key(self) -> int:
        """The job's key."""
        return self.job.key

    @property
    def extends_lease(self) -> bool:
        """Whether its lease may be extended."""
        if self.state is DEFERRED:
            return True
        return self.handler.extends_lease and self.state not in (REPLIED, ENDED)

    def admit(self) -> None:
        """Note that nothing keeps the job from its run any more."""
        self._enter(ADMITTED)

    async def run(self, runner: Runner) -> JobReply:
        """Run the step and return the reply; a step that outlasts its limit is cancelled and counts as unavailable."""
        job = self.job
        self._enter(RUNNING)
        started = time.monotonic()
        self.lease.limit = started + self.handler.limit
        try:
            return await runner.run(job)
        except asyncio.CancelledError:
            if not self._uncancel():
                raise  # The worker stops.
            seconds = time.monotonic() - started
            message = f"{job.task_type} did not end within {seconds:.3g} seconds; whether it took effect is unknown."
            return runner.failed(job, Unavailable(message))
        finally:
            if self.cancellations:
                self._uncancel()  # The step swallowed it.

    def expire(self) -> None:
        """Cancel the step, if it runs: its time is over. A step that swallows that is cancelled again a lease later."""
        now = time.monotonic()
        # A released job's step may still run, if it swallowed its first cancellation.
        is_running = self.state in (RUNNING, RELEASED)
        if not is_running or self.task is None or now < self._next_cancellation:
            return
        if self.cancellations:
            _log.warning("step does not end though its time is over", **about(self.job))
        self.cancellations += 1
        self._next_cancellation = now + self.lease.seconds
        self.task.cancel()

    def defer(self, reply: Fail) -> None:
        """Wait for a place in the retry backlog."""
        self._enter(DEFERRED)
        self.reply = reply

    def start_reply(self, reply: JobReply) -> None:
        """Note that `reply` is being sent."""
        self._enter(REPLYING)
        self.reply = reply

    def finish_reply(self) -> None:
        """Note that nothing is left to send for this activation."""
        self._enter(REPLIED)

    def release(self) -> None:
        """Note that the worker gives the job back."""
        self._enter(RELEASED)

    def end(self) -> None:
        """Note that the slot is free."""
        self._enter(ENDED)

    def cancel(self) -> None:
        """Cancel the job's task: the worker stops."""
        if self.task is not None:
            self.task.cancel()

    def keep_reactivation(self, job: Job, activated: ActivatedJob, lease_ends: float) -> bool:
        """Note one more activation of this job; return whether it keeps the slot that it was received with."""
        if self.is_followed_by(job):
            is_first = self.reactivation is None
            self.reactivation = activated, lease_ends
            return is_first
        # Our lease ran out while the job still runs here: a second run beside the first helps nobody, and the new lease
        # serves the first. The activation may have waited in a buffer, and be the older of the two.
        self.lease.ends = max(self.lease.ends, lease_ends)
        return False

    def is_followed_by(self, job: Job) -> bool:
        """Tell whether `job` is an activation that Zeebe made after our reply.

        Zeebe may push that before its response to our reply arrives.
        """
        if self.state in (REPLIED, ENDED):
            return True
        return isinstance(self.reply, Fail) and self.reply.retries == job.retries

    def _uncancel(self) -> bool:
        """Take back the cancellations of `expire`; return whether there were any, and the task has no other one."""
        left = [self.task.uncancel() for _ in range(self.cancellations)] if self.task is not None else []
        self.cancellations = 0
        return bool(left) and not left[-1]

    def _enter(self, state: JobState) -> None:
        if state not in TRANSITIONS[self.state]:
            message = f"job {self.job.key} of {self.job.task_type} cannot be {state} after it was {self.state}"
            raise IllegalTransitionError(message)
        self.state = state
