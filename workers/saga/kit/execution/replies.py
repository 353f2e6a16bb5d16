"""Send a job's reply to Zeebe, until there is a response or the lease is over.

A reply or the response to it can get lost, or arrive too late. It is then unknown whether Zeebe accepted the reply.
That is a `Doubt`, an outcome of its own: the participant's effect stands, and has to be compared with the state of the
element.
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
"""Seconds for one try to send a reply: much longer than a busy broker takes, much shorter than a lease."""
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
"""Statuses after which this try certainly changed nothing; after any other, it may have been carried out."""


class JobReplies:
    """Sends replies over one stub; safe to use for many jobs at once."""

    def __init__(
        self,
        stub: "GatewayAsyncStub",
        channel_watch: ChannelWatch,
        random: Random,
        failed: Callable[[Job, StepError], JobReply],
        *,
        max_backoff: float = MAX_BACKOFF,
    ) -> None:
        """Send over `stub`, with at most `max_backoff` seconds between two tries.

        `failed` returns the incident that replaces a result which Zeebe refuses for good.
        """
        self._stub = stub
        self._channel_watch = channel_watch
        self._random = random
        self._failed = failed
        self._max_backoff = max_backoff

    async def deliver(self, job: Job, reply: JobReply, lease: Lease) -> tuple[JobReply, Doubt | None]:
        """Send the reply until there is a response or the job's lease ends; at least once in any case.

        Returns:
            The reply that was sent last: an incident in place of a result that Zeebe refuses for good. And the doubt,
            None if Zeebe accepted the reply.
        """
        code = await self._try(job, reply)
        if code is None:
            return reply, None
        return await self._retry(job, reply, lease, code)

    async def _retry(
        self, job: Job, reply: JobReply, lease: Lease, code: grpc.StatusCode
    ) -> tuple[JobReply, Doubt | None]:
        backoff = Backoff(self._random, self._channel_watch, cap=self._max_backoff)
        unanswered = False
        while True:
            unanswered = unanswered or code not in _NOT_CARRIED_OUT
            if code == grpc.StatusCode.INVALID_ARGUMENT and not isinstance(reply, Fail):
                # Zeebe will never accept it, and would activate a job without a reply again for ever.
                reply = self._failed(job, ResultRefused())
            else:
                doubt = doubt_of(code, reply, unanswered=unanswered, is_over=lease.is_over)
                if doubt is not None:
                    return reply, doubt
                await backoff.pause(code)
            again = await self._try(job, reply)
            if again is None:
                return reply, None
            code = again

    async def _try(self, job: Job, reply: JobReply) -> grpc.StatusCode | None:
        call, request = self._request(job, reply)
        try:
            await call(request, timeout=_RPC_DEADLINE)
        except grpc.aio.AioRpcError as error:
            return code_of(error)
        return None

    def _request(self, job: Job, reply: JobReply) -> tuple[Any, Any]:
        match reply:
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


def doubt_of(code: grpc.StatusCode, reply: JobReply, *, unanswered: bool, is_over: bool) -> Doubt | None:
    """Return what the status `code` leaves unknown; None if another try is worth it.

    Args:
        code: The status of the last try.
        reply: What was sent.
        unanswered: Whether an earlier try may have been carried out without a response.
        is_over: Whether the job's lease is over.
    """
    if code == grpc.StatusCode.NOT_FOUND:
        if unanswered:
            return Doubt.ANSWERED_BEFORE
        return Doubt.LEASE_LOST if is_over else Doubt.ELEMENT_GONE
    if code == grpc.StatusCode.FAILED_PRECONDITION:
        # The job exists and has failed or thrown an error: by our earlier try, if that was our reply. A completed job
        # would be gone.
        return Doubt.ANSWERED_BEFORE if unanswered and not isinstance(reply, Complete) else Doubt.NOT_ALLOWED
    return Doubt.UNANSWERED if is_over else None
