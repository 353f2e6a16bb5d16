"""What the peers have to do: instances of two processes whose empty tasks are of any type that is wanted."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self

import grpc
from pyzeebe.proto.gateway_pb2 import (
    CreateProcessInstanceRequest,
    CreateProcessInstanceWithResultRequest,
    DeployResourceRequest,
    Resource,
)

from saga.kit.gateway.connection import stub
from tests.engine import row

ONE = "bench-one"
"""One empty task."""
THREE = "bench-three"
"""Three empty tasks, one after the other."""
MANY = "bench-many"
"""One empty task for each of `count`, all at once."""

TRANSIENT = frozenset(
    {
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)
"""What a broker that is busy, or away for a moment, answers."""
_PAUSE = 0.01
"""Seconds before that is asked again."""
_PIPELINE = 48
"""Instances asked for at once: enough to keep the broker busy, few enough that it seldom refuses."""
_RESULT_MS = 60_000
_LAST_SECONDS = 20.0
"""For the instances that are open when a steady load ends; the slowest peer takes eight."""
_TRICKLE_SECONDS = 2.0
_OPTIONS = (
    # After the broker was away, be back at once; the first is also the least time that a connection may take.
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
)

_TASK = """\
    <bpmn:serviceTask id="Task{number}">
      <bpmn:extensionElements><zeebe:taskDefinition type="=type" /></bpmn:extensionElements>{loop}
    </bpmn:serviceTask>"""
_LOOP = """
      <bpmn:multiInstanceLoopCharacteristics>
        <bpmn:extensionElements>
          <zeebe:loopCharacteristics inputCollection="=for each in 1..count return each" />
        </bpmn:extensionElements>
      </bpmn:multiInstanceLoopCharacteristics>"""


class Load:
    """A client that starts instances, as fast as the broker takes them."""

    def __init__(self, address: str) -> None:
        """Connect to the gateway at `address`; the processes are deployed on entering."""
        self._channel = grpc.aio.insecure_channel(address, _OPTIONS)
        self._stub = stub(self._channel)

    async def __aenter__(self) -> Self:
        """Deploy the processes."""
        resources = [
            Resource(name=f"{name}.bpmn", content=_process(name, tasks, loop))
            for name, tasks, loop in ((ONE, 1, ""), (THREE, 3, ""), (MANY, 1, _LOOP))
        ]
        await _insist(self._stub.DeployResource, DeployResourceRequest(resources=resources))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self._channel.close()

    async def create(self, task_type: str, instances: int, process: str = ONE, **variables: object) -> None:
        """Start `instances` instances whose tasks are of `task_type`, and return when the broker has them all."""
        request = CreateProcessInstanceRequest(
            bpmnProcessId=process, version=-1, variables=_variables(task_type, **variables)
        )
        left = iter(range(instances))

        async def creator() -> None:
            for _ in left:
                await _insist(self._stub.CreateProcessInstance, request)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(instances, _PIPELINE)):
                tasks.create_task(creator())

    async def finish_one(self, task_type: str, process: str = THREE) -> float:
        """Start an instance, wait until it has ended, and return the seconds that this took."""
        request = _with_result(process, task_type)
        started = time.perf_counter()
        await _insist(self._stub.CreateProcessInstanceWithResult, request)
        return time.perf_counter() - started

    @asynccontextmanager
    async def steady(self, task_type: str, instances: int) -> AsyncIterator[None]:
        """Keep so many instances open: for each that ends another one is started; at the end wait for the last ones.

        An instance that is left behind makes its request run out a minute later, and with that Zeebe 8.6.0 closes the
        gateway's connection to the broker, whoever else's commands are on it (camunda/camunda#25596).
        """
        request = _with_result(ONE, task_type)
        ending = False

        async def keep_one() -> None:
            while not ending:
                await _insist(self._stub.CreateProcessInstanceWithResult, request)

        keepers = [asyncio.create_task(keep_one()) for _ in range(instances)]
        try:
            yield
        finally:
            ending = True
            await asyncio.wait(keepers, timeout=_LAST_SECONDS)
            for each in keepers:
                each.cancel()
            for outcome in await asyncio.gather(*keepers, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome

    @asynccontextmanager
    async def trickle(self, task_type: str, every: float) -> AsyncIterator[None]:
        """Start an instance every so many seconds, whether the broker is there or not."""
        request = CreateProcessInstanceRequest(bpmnProcessId=ONE, version=-1, variables=_variables(task_type))

        async def flow() -> None:
            while True:
                with suppress(grpc.aio.AioRpcError):
                    await self._stub.CreateProcessInstance(request, timeout=_TRICKLE_SECONDS)
                await asyncio.sleep(every)

        flowing = asyncio.create_task(flow())
        try:
            yield
        finally:
            flowing.cancel()


async def _insist(call: Callable[[Any], Awaitable[object]], request: object) -> None:
    while True:
        try:
            await call(request)
        except grpc.aio.AioRpcError as error:
            if error.code() not in TRANSIENT:
                raise
            await asyncio.sleep(_PAUSE)
        else:
            return


def _with_result(process: str, task_type: str) -> CreateProcessInstanceWithResultRequest:
    return CreateProcessInstanceWithResultRequest(
        request=CreateProcessInstanceRequest(bpmnProcessId=process, version=-1, variables=_variables(task_type)),
        requestTimeout=_RESULT_MS,
        fetchVariables=["done"],
    )


def _variables(task_type: str, **more: object) -> str:
    return json.dumps({"type": task_type, "order": "4711", "amount": 1299, "customer": "c-17", **more})


def _process(name: str, count: int, loop: str) -> bytes:
    return row(name, {f"Task{number}": _TASK.format(number=number, loop=loop) for number in range(count)})
