"""Coordination of the stream and the poll of one task type: each can wake the other."""

import asyncio

import grpc
import structlog

from saga.kit.gateway.credentials import code_of
from saga.kit.gateway.grpc_limits import limit_of
from saga.kit.subscription.reachability import Reachability

_log = structlog.get_logger(__name__)


class NoPartitionError(Exception):
    """A long poll returned at once without a job: the gateway is available, but knows no partition yet."""


class Coordination:
    """What the stream and the poll of one task type share."""

    def __init__(self, task_type: str, reachability: Reachability) -> None:
        """Start with both."""
        self._task_type = task_type
        self.reachability = reachability
        self.stopping = False
        """Whether no more jobs are requested."""
        self.streaming = asyncio.Event()
        """Set while jobs are to be streamed."""
        self.streaming.set()
        self.poll_due = asyncio.Event()
        """Set when there may be jobs that only a poll finds: the stream has ended, or its buffers are full."""

    def close(self) -> None:
        """Request no more jobs."""
        self.stopping = True
        self.streaming.set()
        self.poll_due.set()

    def failed(self, method: str, error: Exception) -> None:
        """Note that `method`, which is `stream` or `poll`, did not reach the broker."""
        match error:
            case grpc.aio.AioRpcError():
                self.reachability.failed(method, code_of(error), limit_of(error))
            case NoPartitionError():
                self.reachability.failed(method, grpc.StatusCode.UNAVAILABLE)
            case _:
                # Neither the broker nor the network: a bug of ours or of grpc, which must not end the subscription.
                _log.error("subscription failed", task_type=self._task_type, way=method, exc_info=error)
                self.reachability.failed(method, grpc.StatusCode.UNKNOWN)
