"""Tell the broker how a job ended, until it has heard or the lease is over.

A worker's answer can get lost on the way there, on the way back, or come too late. What cannot be known then is
handed on as `InDoubt`, an outcome of its own: the participant's effect stands, and somebody has to compare it
with what became of the element.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any

import grpc
from pyzeebe.proto.gateway_pb2 import ActivatedJob, CompleteJobRequest, FailJobRequest, ThrowErrorRequest

from workers.kit.intake import Backoff
from workers.kit.outcomes import Answer, Complete, Fail, Throw

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_RPC_DEADLINE = 5.0
"""Seconds for one try to deliver an answer: far above a busy broker's, far below a lease."""
_HOPELESS = frozenset(
    {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT}
)


class Doubt(StrEnum):
    """Why nobody knows whether the broker took the answer."""

    REPLY_LOST = "reply-lost"
    """An earlier try got no reply and the job is gone since: most likely that try was taken."""
    JOB_GONE = "job-gone"
    """The broker does not know the job: another worker answered it after our lease, or its element is gone."""
    NOT_ALLOWED = "not-allowed"
    """The broker knows the job but takes no answer now, as while it has an incident."""
    LEASE_OVER = "lease-over"
    """No try got a reply before the lease ended: the job will be given out again."""


@dataclass(frozen=True, slots=True)
class InDoubt:
    """An answer of which nobody knows whether the broker took it."""

    job: ActivatedJob
    answer: Answer
    doubt: Doubt


class Answers:
    """Deliver answers over one stub; safe to use for many jobs at once."""

    def __init__(self, stub: "GatewayAsyncStub", random: Random, on_doubt: Callable[[InDoubt], None]) -> None:
        """`on_doubt` is called, in the event loop, for each answer that stays in doubt."""
        self._stub = stub
        self._random = random
        self._on_doubt = on_doubt

    async def deliver(self, job: ActivatedJob, answer: Answer, ends: float) -> Doubt | None:
        """Send the answer until the broker replies or the job's lease ends; at least once in any case.

        Args:
            job: Which job is answered.
            answer: How it ended.
            ends: When its lease ends, on `time.monotonic`'s clock: the broker's clock may be another.

        Returns:
            None where the broker took the answer, else why nobody knows; `on_doubt` was called then.
        """
        backoff = Backoff(self._random)
        unanswered = False
        while True:
            code = await self._try(job, answer)
            if code is None:
                return None
            if code == grpc.StatusCode.INVALID_ARGUMENT and not isinstance(answer, Fail):
                # The broker will never take it; a job without an answer would be run again for ever.
                answer = Fail(0, 0.0, f"The broker refuses what {job.type} left behind. Mend the step, then retry.")
                continue
            # RESOURCE_EXHAUSTED is said before the command is taken up; all else may have been carried out.
            unanswered = unanswered or code not in {*_HOPELESS, grpc.StatusCode.RESOURCE_EXHAUSTED}
            doubt = _doubt(code, unanswered=unanswered, is_over=time.monotonic() >= ends)
            if doubt is not None:
                self._on_doubt(InDoubt(job, answer, doubt))
                return doubt
            await backoff.pause()

    async def _try(self, job: ActivatedJob, answer: Answer) -> grpc.StatusCode | None:
        call, request = self._request(job, answer)
        try:
            await call(request, timeout=_RPC_DEADLINE)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return None

    def _request(self, job: ActivatedJob, answer: Answer) -> tuple[Any, Any]:
        match answer:
            case Complete(variables):
                return self._stub.CompleteJob, CompleteJobRequest(jobKey=job.key, variables=variables)
            case Throw(code, message, variables):
                request = ThrowErrorRequest(jobKey=job.key, errorCode=code, errorMessage=message, variables=variables)
                return self._stub.ThrowError, request
            case Fail(retries, backoff, message):
                milliseconds = round(backoff * 1000)
                return self._stub.FailJob, FailJobRequest(
                    jobKey=job.key, retries=retries, errorMessage=message, retryBackOff=milliseconds
                )


def _doubt(code: grpc.StatusCode, *, unanswered: bool, is_over: bool) -> Doubt | None:
    if code == grpc.StatusCode.NOT_FOUND:
        return Doubt.REPLY_LOST if unanswered else Doubt.JOB_GONE
    if code == grpc.StatusCode.FAILED_PRECONDITION:
        return Doubt.NOT_ALLOWED
    return Doubt.LEASE_OVER if is_over else None
