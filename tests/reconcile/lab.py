"""A stack without workers and without a reconciler: a test brings its own, behind ways on which it can do harm."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import httpx
from pyzeebe.proto import gateway_pb2 as pb

from order_fulfillment.names import PROCESS
from saga.clients.addresses import Addresses
from saga.clients.instances import Instances
from saga.kit.gateway.connection import stub
from tests import warm
from tests.proxy import HeldReply, HoldingProxy
from tests.reconcile.endless import EndlessGateway, EndlessSearches
from tests.stack import Stack, free_port
from tests.world import Effects, World, answers, eventually

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

LEASE = 4.0
"""Seconds of a job's lease in the laboratory."""


class Gateway(EndlessGateway):
    """The way to the broker; remembers which job was given out for which element."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.jobs: dict[tuple[int, str], int] = {}
        """Keys of jobs by process instance and element."""

    def seen(self, method: str, message: bytes) -> None:
        if method == "StreamActivatedJobs":
            self._remember(pb.ActivatedJob.FromString(message))
        elif method == "ActivateJobs":
            for job in pb.ActivateJobsResponse.FromString(message).jobs:
                self._remember(job)

    def _remember(self, job: pb.ActivatedJob) -> None:
        self.jobs[job.processInstanceKey, job.elementId] = job.key


@dataclass
class Lab:
    """Everything that a test of faults needs."""

    stack: Stack
    world: World
    instances: Instances
    gateway: Gateway
    broker: "GatewayAsyncStub"
    """Over the gateway, as everybody asks."""
    ways: dict[str, HoldingProxy]
    """The way from the workers to each participant."""
    environment: dict[str, str]
    """Of a process that takes these ways."""
    logs: Path
    cancelled: set[int] = field(default_factory=set)
    """Instances that were cancelled as an operator does."""

    @contextmanager
    def workers(self, lease: float = LEASE) -> Iterator[warm.Command]:
        """Run a worker process; whatever a test has done to it, it is killed in the end.

        One that is told to stop would wait for a reconciler, to tell it of the answers in doubt.

        Args:
            lease: Seconds of a job's lease.
        """
        own = {"WORKER_PORT": str(free_port()), "WORKER_LEASE": str(lease)}
        process = self._begin("workers", environment=own)
        try:
            yield process
        finally:
            kill(process)

    @asynccontextmanager
    async def reconciler(self, interval: float = 0.5, *, url: str = "") -> AsyncIterator[warm.Command]:
        """Run a reconciler that looks at everything at each sweep: the one that workers know, or one at `url`."""
        url = url or self.environment["RECONCILER_URL"]
        own = {"RECONCILER_INTERVAL": str(interval), "RECONCILER_AGE": "0", "RECONCILER_PORT": url.rpartition(":")[2]}
        process = self._begin("reconcile", "--watch", environment=own)
        try:
            async with httpx.AsyncClient() as http:
                await eventually(lambda: answers(http, f"{url}/ready"), bool)
            yield process
        finally:
            process.signal(signal.SIGTERM)
            with suppress(TimeoutError):
                process.end(30)

    def _begin(self, *command: str, environment: Mapping[str, str]) -> warm.Command:
        own = {**self.stack.environment, **self.environment, **environment}
        log = self.logs / f"{command[0]}.log"
        return warm.Command(command, own, Path(os.devnull), log, log)

    async def start(self, order: Mapping[str, Any]) -> int:
        """Start an instance; return its key."""
        request = pb.CreateProcessInstanceRequest(bpmnProcessId=PROCESS, version=-1, variables=json.dumps(order))
        return int((await self.broker.CreateProcessInstance(request, timeout=20)).processInstanceKey)

    async def cancel(self, instance: int) -> None:
        """Cancel an instance as an operator does."""
        request = pb.CancelProcessInstanceRequest(processInstanceKey=instance)
        await self.broker.CancelProcessInstance(request, timeout=20)
        self.cancelled.add(instance)

    async def customer_cancels(self, order_id: str) -> None:
        """Publish the customer's wish."""
        message = pb.PublishMessageRequest(name="CancelOrder", correlationKey=order_id, timeToLive=60_000)
        await self.broker.PublishMessage(message, timeout=20)

    async def throw(self, instance: int, element: str) -> None:
        """End a job that a worker has in hand with a BPMN error, which interrupts whatever else runs."""
        job = await eventually(lambda: self._job(instance, element), bool)
        request = pb.ThrowErrorRequest(jobKey=job, errorCode="INTERRUPTED", errorMessage="a test's", variables=REFUSAL)
        await self.broker.ThrowError(request, timeout=20)

    async def _job(self, instance: int, element: str) -> int:
        return self.gateway.jobs.get((instance, element), 0)

    async def state(self, instance: int) -> str:
        """Return an instance's state; TERMINATED also where it ends for ever (engine: docs/reconciler.md)."""
        shown = await self.instances.get(instance)
        if shown is None:
            return "unknown"
        if shown.state != "ACTIVE" or any(n.state == "ACTIVE" for n in await self.instances.elements(instance)):
            return shown.state
        request = pb.SetVariablesRequest(elementInstanceKey=instance, variables="{}", local=True)
        try:
            await self.broker.SetVariables(request, timeout=20)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND and instance in self.cancelled:
                return "TERMINATED"
        return "ACTIVE"

    async def ended(self, instance: int) -> str:
        """Wait until an instance has ended; return how."""
        return await eventually(lambda: self.state(instance), lambda state: state in {"COMPLETED", "TERMINATED"}, 90)

    def hold(self, participant: str, method: str, path: str) -> AbstractContextManager[HeldReply]:
        """Hold a participant's reply: what it says has taken effect, and nobody knows."""
        return self.ways[participant].hold_replies(method, path)

    async def orphans(self, order_id: str, state: str) -> int:
        """Count the effects of an ended instance that its end does not account for (invariants 1, 2, 5)."""
        effects = await self.world.unchecked(order_id)
        fulfilled = state == "COMPLETED" and effects.shipped > 0
        return orphans(effects, fulfilled=fulfilled)


REFUSAL = json.dumps({"refusal": {"code": "INTERRUPTED", "message": "a test's", "taskType": "test"}})


def orphans(effects: Effects, *, fulfilled: bool) -> int:
    """Count what stands at the participants and should not."""
    if fulfilled:
        wrong = [
            effects.shipped != effects.reserved,
            effects.captured != effects.total,
            effects.refunded > 0,
            effects.status != "shipping",
        ]
    else:
        wrong = [
            effects.shipped > 0,
            effects.captured != effects.refunded,
            effects.reserved != effects.released,
            effects.status not in {None, "cancelled"},
        ]
    return sum(wrong)


@asynccontextmanager
async def laboratory(stack: Stack, world_url: str, addresses: Addresses, logs: Path) -> AsyncIterator[Lab]:
    """Open the ways to a stack that is up."""
    async with (
        Gateway(addresses.engine.address) as gateway,
        EndlessSearches(addresses.rest or "", gateway.endless) as searches,
        Instances(searches.url) as instances,
        World(world_url) as world,
    ):
        gateway.instances = instances
        channel = grpc.aio.insecure_channel(gateway.address)
        ways = {}
        for name, port in {"orders": 8101, "inventory": 8102, "payment": 8103, "shipping": 8104}.items():
            ways[name] = HoldingProxy(free_port())
            ways[name].start(f"http://127.0.0.1:{port + stack.offset}")
        environment = {
            "ZEEBE_ADDRESS": gateway.address,
            "ZEEBE_INSECURE_CONNECTION": "true",
            "CAMUNDA_REST_ADDRESS": searches.url,
            "RECONCILER_URL": f"http://127.0.0.1:{free_port()}",
            **{f"{name.upper()}_URL": way.url for name, way in ways.items()},
        }
        try:
            yield Lab(stack, world, instances, gateway, stub(channel), ways, environment, logs)
        finally:
            await channel.close()
            for way in ways.values():
                await asyncio.to_thread(way.stop)


def kill(process: warm.Command) -> None:
    """SIGKILL a process and all that it started; one that is gone already is left alone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.end(10)
