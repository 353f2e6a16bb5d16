"""The two ways to one task type's jobs, and what each of them has the other do."""

import asyncio

import grpc
import structlog

from saga.kit.gateway.credentials import code_of
from saga.kit.gateway.grpc_limits import limit_of
from saga.kit.subscription.reachability import Reachability

_log = structlog.get_logger(__name__)


class NoPartitionError(Exception):
    """A long poll was answered at once without a job: the gateway is there, and knows no partition yet."""


class Coordination:
    """What the stream and the poll of one task type know of each other."""

    def __init__(self, task_type: str, reach: Reachability) -> None:
        """Begin with both."""
        self._task_type = task_type
        self.reach = reach
        self.stopping = False
        """Whether nothing more is asked for."""
        self.push = asyncio.Event()
        """Set while jobs are to be pushed."""
        self.push.set()
        self.poll = asyncio.Event()
        """Set when there may be jobs that only a poll finds: a stream has ended, or its buffers are full."""

    def close(self) -> None:
        """Ask for nothing more."""
        self.stopping = True
        self.push.set()
        self.poll.set()

    def failed(self, way: str, error: Exception) -> None:
        """Note that the broker was not reached by `way`, `stream` or `poll`."""
        match error:
            case grpc.aio.AioRpcError():
                self.reach.failed(way, code_of(error), limit_of(error))
            case NoPartitionError():
                self.reach.failed(way, grpc.StatusCode.UNAVAILABLE)
            case _:
                # Neither the broker nor the network: a bug of ours or of grpc's, which must not make this type deaf.
                _log.error("subscription failed", task_type=self._task_type, way=way, exc_info=error)
                self.reach.failed(way, grpc.StatusCode.UNKNOWN)
