"""A job in hand: it holds a slot of its type's window until it is answered."""

import asyncio
import time
from dataclasses import dataclass

import structlog
from pyzeebe.proto.gateway_pb2 import ActivatedJob

from saga.kit.definition.handler import Handler
from saga.kit.definition.job import Job, about
from saga.kit.definition.outcomes import Fail, JobReply
from saga.kit.execution.lease import Lease

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class ActiveJob:
    """What becomes of one job between its arrival and its answer."""

    job: Job
    handler: Handler
    lease: Lease
    task: asyncio.Task[None] | None = None
    had_turn: bool = False
    """Whether its turn has come; a job that ends before that is as suspect as it came."""
    runs: bool = False
    """Whether the step runs right now."""
    ended: int = 0
    """How often the step was told to end because its time was over."""
    answer: JobReply | None = None
    """What the broker is being told, or has been."""
    waits: bool = False
    """Whether it waits for room to wait for its next try."""
    answered: bool = False
    """Whether there is nothing more to tell it."""
    handed_back: bool = False
    """Whether it is on its way back to the broker, whatever its step still says."""
    again: tuple[ActivatedJob, float] | None = None
    """The job's latest activation and the end of its lease; it holds a slot of its own."""
    _end_again: float = 0.0
    """When the step, should it still run, is told again to end."""

    @property
    def key(self) -> int:
        """The job's key."""
        return self.job.key

    @property
    def extends(self) -> bool:
        """Whether its lease may be extended."""
        return not self.answered and (self.handler.extends_lease or self.waits)

    def expire(self) -> None:
        """End the step, where it runs: its time is over. One that does not heed it is told again, once a lease."""
        now = time.monotonic()
        if not self.runs or self.task is None or now < self._end_again:
            return
        if self.ended:
            _log.warning("step does not end though its time is over", **about(self.job))
        self.ended += 1
        self._end_again = now + self.lease.seconds
        self.task.cancel()

    def take_back(self) -> bool:
        """Take back that the step was to end; return whether it was, and nobody else wants its task to."""
        left = [self.task.uncancel() for _ in range(self.ended)] if self.task is not None else []
        self.ended = 0
        return bool(left) and not left[-1]

    def cancel(self) -> None:
        """End its task: the worker stops."""
        if self.task is not None:
            self.task.cancel()

    def answers(self, job: Job) -> bool:
        """Tell whether `job`, one more activation of the same job, is answered by what becomes of this one."""
        return not self.answered and not self.is_followed_by(job)

    def comes_again(self, job: Job, activated: ActivatedJob, lease_ends: float) -> bool:
        """Note one more activation of the same job; return whether it keeps the slot that it came with."""
        if self.is_followed_by(job):
            is_first = self.again is None
            self.again = activated, lease_ends
            return is_first
        # Our lease ran out while the job is still running here: a second run beside the first helps nobody, and what
        # it came with is a new lease for the first. It may have waited, and be the older of the two.
        self.lease.ends = max(self.lease.ends, lease_ends)
        return False

    def is_followed_by(self, job: Job) -> bool:
        """Tell whether `job` is the activation that the broker made of our own answer.

        It can be quicker with that than with its reply.
        """
        return self.answered or (isinstance(self.answer, Fail) and self.answer.retries == job.retries)
