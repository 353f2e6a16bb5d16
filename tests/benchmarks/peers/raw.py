"""The ceiling: the gateway's stubs in the simplest fast loop. Nothing is validated, logged, renewed or handed back.

Arguments: the gateway's address, the number of jobs in flight.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
from pyzeebe.proto.gateway_pb2 import (
    ActivatedJob,
    ActivateJobsRequest,
    CompleteJobRequest,
    StreamActivatedJobsRequest,
)

from saga.kit.gateway.connection import stub
from tests.benchmarks.load import TRANSIENT
from tests.benchmarks.peers.control import obey, run
from tests.benchmarks.peers.task import FETCHED, RESULT

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_LEASE_MS = 30_000
_LONG_POLL_MS = 30_000
_PAUSE = 0.01
"""Seconds before what the busy broker refused is asked again."""


class Loop:
    """One task type: its stream, its poll, and the jobs in flight between both."""

    def __init__(self, gateway: "GatewayAsyncStub", task_type: str, in_flight: int) -> None:
        self._stub = gateway
        self._type = task_type
        self._slots = asyncio.Semaphore(in_flight)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stream())
            tasks.create_task(self._poll())

    async def _stream(self) -> None:
        request = StreamActivatedJobsRequest(type=self._type, worker="raw", timeout=_LEASE_MS, fetchVariable=FETCHED)
        async for job in self._stub.StreamActivatedJobs(request):
            await self._slots.acquire()
            self._start(job)

    async def _poll(self) -> None:
        backlog = True
        while True:
            # With a backlog, all slots that are free; without one, a single slot, so that the stream has the others.
            await self._slots.acquire()
            most = 1
            while backlog and not self._slots.locked():
                await self._slots.acquire()
                most += 1
            started = 0
            request = ActivateJobsRequest(
                type=self._type,
                worker="raw",
                timeout=_LEASE_MS,
                maxJobsToActivate=most,
                fetchVariable=FETCHED,
                requestTimeout=-1 if backlog else _LONG_POLL_MS,
            )
            try:
                async for response in self._stub.ActivateJobs(request):
                    for job in response.jobs:
                        self._start(job)
                        started += 1
                backlog = started == most
            except grpc.aio.AioRpcError as error:
                if error.code() not in TRANSIENT:
                    raise
                await asyncio.sleep(_PAUSE)
            finally:
                for _ in range(most - started):
                    self._slots.release()

    def _start(self, job: ActivatedJob) -> None:
        task = asyncio.create_task(self._complete(job.key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _complete(self, key: int) -> None:
        request = CompleteJobRequest(jobKey=key, variables=RESULT)
        while True:
            try:
                await self._stub.CompleteJob(request)
            except grpc.aio.AioRpcError as error:
                if error.code() not in TRANSIENT:
                    raise
                await asyncio.sleep(_PAUSE)
            else:
                break
        self._slots.release()


async def _main(address: str, in_flight: int) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        gateway = stub(channel)

        @asynccontextmanager
        async def subscribe(task_types: Sequence[str]) -> AsyncIterator[None]:
            loops = [asyncio.create_task(Loop(gateway, each, in_flight).run()) for each in task_types]
            try:
                yield
            finally:
                for each in loops:
                    each.cancel()
                await asyncio.gather(*loops, return_exceptions=True)

        await obey(subscribe)


if __name__ == "__main__":
    run(_main(sys.argv[1], int(sys.argv[2])))
