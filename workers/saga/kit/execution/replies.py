"""Tell the broker how a job ended, until it has heard or the lease is over.

A worker's answer can get lost on the way there, on the way back, or come too late. What cannot be known then is
a `Doubt`, an outcome of its own: the participant's effect stands, and somebody has to compare it with what became
of the element.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

import grpc
from pyzeebe.proto.gateway_pb2 import CompleteJobRequest, FailJobRequest, ThrowErrorRequest

from saga.kit.definition.job import Job
from saga.kit.definition.outcomes import Complete, Fail, JobReply, ResultRefused, StepError, Throw
from saga.kit.execution.doubt import Doubt
from saga.kit.execution.lease import Lease
from saga.kit.gateway.backoff import MAX_BACKOFF, Backoff
from saga.kit.gateway.channel_watch import ChannelWatch
from saga.kit.gateway.credentials import code_of

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_RPC_DEADLINE = 5.0
"""Seconds for one try to deliver an answer: far above a busy broker's, far below a lease."""
_NOT_CARRIED_OUT = frozenset(
    {
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    }
)
"""Replies of which we know that this try changed nothing; after any other, it may have been carried out."""


class JobReplies:
    """Deliver answers over one stub; safe to use for many jobs at once."""

    def __init__(
        self,
        stub: "GatewayAsyncStub",
        link: ChannelWatch,
        random: Random,
        failed: Callable[[Job, StepError], JobReply],
        *,
        max_backoff: float = MAX_BACKOFF,
    ) -> None:
        """Send over `stub`, with at most `max_backoff` seconds between two tries.

        `failed` says what to send in place of a result that the broker refuses for good.
        """
        self._stub = stub
        self._link = link
        self._random = random
        self._failed = failed
        self._max_backoff = max_backoff

    async def deliver(self, job: Job, answer: JobReply, lease: Lease) -> tuple[JobReply, Doubt | None]:
        """Send the answer until the broker replies or the job's lease ends; at least once in any case.

        Returns:
            What was sent in the end: an incident in place of what the broker refuses for good. And None where the
            broker took it, else why nobody knows.
        """
        code = await self._try(job, answer)
        if code is None:
            return answer, None
        return await self._insist(job, answer, lease, code)

    async def _insist(
        self, job: Job, answer: JobReply, lease: Lease, code: grpc.StatusCode
    ) -> tuple[JobReply, Doubt | None]:
        backoff = Backoff(self._random, self._link, cap=self._max_backoff)
        unanswered = False
        while True:
            unanswered = unanswered or code not in _NOT_CARRIED_OUT
            if code == grpc.StatusCode.INVALID_ARGUMENT and not isinstance(answer, Fail):
                # The broker will never take it; a job without an answer would be run again for ever.
                answer = self._failed(job, ResultRefused())
            else:
                doubt = doubt_of(code, answer, unanswered=unanswered, is_over=lease.is_over)
                if doubt is not None:
                    return answer, doubt
                await backoff.pause(code)
            again = await self._try(job, answer)
            if again is None:
                return answer, None
            code = again

    async def _try(self, job: Job, answer: JobReply) -> grpc.StatusCode | None:
        call, request = self._request(job, answer)
        try:
            await call(request, timeout=_RPC_DEADLINE)
        except grpc.aio.AioRpcError as error:
            return code_of(error)
        return None

    def _request(self, job: Job, answer: JobReply) -> tuple[Any, Any]:
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


def doubt_of(code: grpc.StatusCode, answer: JobReply, *, unanswered: bool, is_over: bool) -> Doubt | None:
    """Say what the reply `code` leaves open; None where it is worth another try.

    Args:
        code: The last reply.
        answer: What it is the reply to.
        unanswered: Whether an earlier try got no reply from which its fate can be told.
        is_over: Whether the job's lease is.
    """
    if code == grpc.StatusCode.NOT_FOUND:
        if unanswered:
            return Doubt.ANSWERED_BEFORE
        return Doubt.LEASE_LOST if is_over else Doubt.ELEMENT_GONE
    if code == grpc.StatusCode.FAILED_PRECONDITION:
        # The job is there, failed or with an error: our own doing where that was our answer. A completed one is gone.
        return Doubt.ANSWERED_BEFORE if unanswered and not isinstance(answer, Complete) else Doubt.NOT_ALLOWED
    return Doubt.UNANSWERED if is_over else None
