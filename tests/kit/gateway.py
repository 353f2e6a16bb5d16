"""A scripted gateway: real gRPC, our own stub behind it, for faults that the real broker does not give on demand."""

import asyncio
import itertools
import json
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayServicer, add_GatewayServicer_to_server

if TYPE_CHECKING:
    # Generic for type checkers only.
    Context = grpc.aio.ServicerContext[Any, Any]
Verdict = Callable[[Any], grpc.StatusCode | None]


def accept(_request: object) -> None:
    """Answer a command with success."""


class ScriptedGateway(GatewayServicer):
    """Gives out the jobs that a test puts in, and answers commands as the test says."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        """Every command in the order of its arrival, refused ones included."""
        self.verdict: Verdict = accept
        """Says with which status a command is answered; None is success. It is called after `told` has the command."""
        self.replies = asyncio.Event()
        """Set while commands are replied to; a test that puts another one holds the replies back."""
        self.replies.set()
        self.reply_takes = 0.0
        """Seconds until a command is replied to."""
        self.replied = 0
        """How many commands were answered with success."""
        self.poll_verdict: Verdict = accept
        self.poll_takes = 0.0
        """Seconds until a poll is answered at all."""
        self.polls = 0
        self.streams = 0
        self.streams_begun = 0
        self.streams_refused = 0
        self.knows_no_partition = False
        """Whether polls are answered at once without a job, as while the broker behind the gateway is away."""
        self.stream_status: grpc.StatusCode | None = None
        """With which status every stream is refused; None serves it."""
        self.stream_ends_after: int | None = None
        """After how many jobs every stream ends unasked; None never."""
        self.extensions: list[int] = []
        """The keys of the jobs whose lease a worker asked to extend, refused ones included."""
        self.leases: list[float] = []
        """For how many seconds each time."""
        self.extension_verdict: Verdict = accept
        self.extension_takes = 0.0
        """Seconds until a worker hears of it."""
        self.fetched: set[tuple[str, ...]] = set()
        """The names of variables that a worker asked for, with its streams and its polls."""
        self._keys = itertools.count(1)
        self._streamed: dict[str, asyncio.Queue[pb.ActivatedJob]] = defaultdict(asyncio.Queue)
        self._waiting: dict[str, deque[pb.ActivatedJob]] = defaultdict(deque)

    def job(
        self,
        *,
        lease: float = 30.0,
        waited: float = 0.0,
        retries: int = 3,
        key: int | None = None,
        headers: str = "{}",
        task_type: str = "work",
        **variables: object,
    ) -> pb.ActivatedJob:
        """Make a job, whose lease in seconds began `waited` seconds ago."""
        return pb.ActivatedJob(
            key=key or next(self._keys),
            type=task_type,
            processInstanceKey=1,
            elementId="Task_Work",
            customHeaders=headers,
            retries=retries,
            deadline=round((time.time() + lease - waited) * 1000),
            variables=json.dumps({"name": "n", **variables}),
        )

    def push(self, *jobs: pb.ActivatedJob) -> None:
        """Push jobs down the stream."""
        for job in jobs:
            self._streamed[job.type].put_nowait(job)

    def all_pushed(self) -> bool:
        """Tell whether the stream has taken everything that was pushed."""
        return all(queue.empty() for queue in self._streamed.values())

    @property
    def left(self) -> bool:
        """Whether there are jobs that no poll has found."""
        return any(self._waiting.values())

    def forget_pushed(self) -> None:
        """Take back what no stream has taken."""
        self._streamed.clear()

    def leave(self, *jobs: pb.ActivatedJob) -> None:
        """Leave jobs for a poll to find."""
        for job in jobs:
            self._waiting[job.type].append(job)

    async def StreamActivatedJobs(
        self, request: pb.StreamActivatedJobsRequest, context: "Context"
    ) -> AsyncIterator[pb.ActivatedJob]:
        self.fetched.add(tuple(request.fetchVariable))
        if self.stream_status:
            self.streams_refused += 1
            await context.abort(self.stream_status, "scripted")
        self.streams += 1
        self.streams_begun += 1
        sent = 0
        try:
            while sent != self.stream_ends_after:
                yield await self._streamed[request.type].get()
                sent += 1
        finally:
            self.streams -= 1

    async def ActivateJobs(
        self, request: pb.ActivateJobsRequest, context: "Context"
    ) -> AsyncIterator[pb.ActivateJobsResponse]:
        self.polls += 1
        self.fetched.add(tuple(request.fetchVariable))
        if status := self.poll_verdict(request):
            await context.abort(status, "scripted")
        await asyncio.sleep(self.poll_takes)
        if self.knows_no_partition:
            return
        wait = request.requestTimeout / 1000
        waiting = self._waiting[request.type]
        while not waiting and wait > 0:
            await asyncio.sleep(0.02)
            wait -= 0.02
        jobs = [waiting.popleft() for _ in range(min(len(waiting), request.maxJobsToActivate))]
        if jobs:
            yield pb.ActivateJobsResponse(jobs=jobs)

    async def CompleteJob(self, request: pb.CompleteJobRequest, context: "Context") -> pb.CompleteJobResponse:
        await self._command(request, context)
        return pb.CompleteJobResponse()

    async def FailJob(self, request: pb.FailJobRequest, context: "Context") -> pb.FailJobResponse:
        await self._command(request, context)
        return pb.FailJobResponse()

    async def ThrowError(self, request: pb.ThrowErrorRequest, context: "Context") -> pb.ThrowErrorResponse:
        await self._command(request, context)
        return pb.ThrowErrorResponse()

    async def UpdateJobTimeout(
        self, request: pb.UpdateJobTimeoutRequest, context: "Context"
    ) -> pb.UpdateJobTimeoutResponse:
        self.extensions.append(request.jobKey)
        self.leases.append(request.timeout / 1000)
        status = self.extension_verdict(request)
        await asyncio.sleep(self.extension_takes)
        if status:
            await context.abort(status, "scripted")
        return pb.UpdateJobTimeoutResponse()

    async def _command(self, request: object, context: "Context") -> None:
        self.told.append(request)
        await self.replies.wait()
        await asyncio.sleep(self.reply_takes)
        if status := self.verdict(request):
            await context.abort(status, "scripted")
        self.replied += 1


@asynccontextmanager
async def serving(
    gateway: ScriptedGateway, port: int = 0, options: Sequence[tuple[str, int]] = (), host: str = "127.0.0.1"
) -> AsyncIterator[str]:
    """Serve the gateway on `port` of `host`, or on a free one; yield its address."""
    server = grpc.aio.server(options=options)
    add_GatewayServicer_to_server(gateway, server)
    port = server.add_insecure_port(f"{host}:{port}")
    await server.start()
    try:
        yield f"{host}:{port}"
    finally:
        await server.stop(grace=None)
