"""The embedded engine as the runtime's tests see it: processes of their own, and what the broker holds of them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

import grpc
import httpx
from pyzeebe.proto import gateway_pb2 as pb

from saga.clients.addresses import Addresses
from saga.clients.instances import Instances, ProcessInstance
from saga.clients.ports import HOST, Ports
from saga.clients.rest import RestClient
from saga.kit.gateway.connection import open_channel, stub
from tests.engine import jobs, row
from tests.world import eventually

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_INSTANCES = "/v2/process-instances/search"
_REFUSED = '<bpmn:error id="refused" errorCode="REFUSED" />'
_TASK = """
    <bpmn:serviceTask id="{task}">
      <bpmn:extensionElements><zeebe:taskDefinition type="{task}" retries="{retries}" /></bpmn:extensionElements>
    </bpmn:serviceTask>
    <bpmn:boundaryEvent id="{task}-refused" attachedToRef="{task}">
      <bpmn:outgoing>{task}-undone</bpmn:outgoing>
      <bpmn:errorEventDefinition errorRef="refused" />
    </bpmn:boundaryEvent>
    <bpmn:endEvent id="{task}-end" />
    <bpmn:sequenceFlow id="{task}-undone" sourceRef="{task}-refused" targetRef="{task}-end" />
"""


def process(name: str, task_types: list[str], retries: int = 3) -> bytes:
    """Draw a process: service tasks in a row, each of which has `retries` and may be refused with the error REFUSED."""
    return row(name, {task: _TASK.format(task=task, retries=retries) for task in task_types}, beside=_REFUSED)


class Broker:
    """A client of the gateway, of the broker's metrics and of the REST API; enter it to open them."""

    def __init__(self, addresses: Addresses, offset: int) -> None:
        self._addresses = addresses
        self._management = f"http://{HOST}:{Ports.of(offset).management}"

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        channel = await self._stack.enter_async_context(open_channel(self._addresses.engine))
        self.gateway: GatewayAsyncStub = stub(channel)
        http = httpx.AsyncClient(trust_env=False, timeout=30.0)
        self._http = await self._stack.enter_async_context(http)
        self._instances = await self._stack.enter_async_context(Instances.at(self._addresses))
        self._rest = RestClient(f"{self._addresses.rest}")
        self._stack.push_async_callback(self._rest.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def deploy(self, name: str, task_types: list[str], retries: int = 3) -> None:
        resource = pb.Resource(name=f"{name}.bpmn", content=process(name, task_types, retries))
        await self.gateway.DeployResource(pb.DeployResourceRequest(resources=[resource]))

    async def create(self, name: str, variables: dict[str, Any]) -> int:
        """Create an instance and return its key."""
        response = await taken(lambda: self.gateway.CreateProcessInstance(_create(name, variables)))
        return int(response.processInstanceKey)

    async def result(self, name: str, variables: dict[str, Any], seconds: float = 120.0) -> dict[str, Any]:
        """Create an instance, wait for its end and return its variables."""
        return await result(self.gateway, name, variables, seconds)

    async def jobs(self, event: str, task_type: str) -> int:
        """Return how many jobs of a type the broker has `created`, `activated`, `completed` … since it started."""
        return await jobs(self._http, self._management, event, task_type)

    async def incident(self, instance: int) -> dict[str, Any]:
        """Return the one open incident of an instance, as the cluster shows it."""

        async def found() -> list[dict[str, Any]]:
            pages = self._instances.incidents(instance=instance)
            return [incident.model_dump(by_alias=True) async for page in pages for incident in page]

        return (await eventually(found, bool))[0]

    async def retry(self, incident: dict[str, Any], variables: dict[str, Any]) -> None:
        """Mend the variables of an incident's instance and retry it, as a person does."""
        await self.gateway.SetVariables(
            pb.SetVariablesRequest(elementInstanceKey=incident["processInstanceKey"], variables=json.dumps(variables))
        )
        await self.gateway.UpdateJobRetries(pb.UpdateJobRetriesRequest(jobKey=incident["jobKey"], retries=1))
        await self.gateway.ResolveIncident(pb.ResolveIncidentRequest(incidentKey=incident["key"]))

    async def instances(self, name: str, state: str) -> int:
        """Return how many instances of a process are ACTIVE or COMPLETED, as far as the cluster shows by now."""
        return await self._rest.count(_INSTANCES, {"processDefinitionId": name, "state": state})

    async def running(self, name: str) -> list[int]:
        """Return the keys of a process's active instances, as far as the cluster shows by now."""
        filters = {"processDefinitionId": name, "state": "ACTIVE"}
        pages = self._rest.pages(_INSTANCES, ProcessInstance, filters, ["processInstanceKey"])
        return [instance.key async for page in pages for instance in page]


async def result(gateway: "GatewayAsyncStub", name: str, variables: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Create an instance, wait for its end, for so many seconds, and return its variables."""
    request = pb.CreateProcessInstanceWithResultRequest(
        request=_create(name, variables), requestTimeout=round(seconds * 1000)
    )
    response = await taken(lambda: gateway.CreateProcessInstanceWithResult(request, timeout=seconds + 5.0))
    ended: dict[str, Any] = json.loads(response.variables)
    return ended


def _create(name: str, variables: dict[str, Any]) -> pb.CreateProcessInstanceRequest:
    return pb.CreateProcessInstanceRequest(bpmnProcessId=name, version=-1, variables=json.dumps(variables))


async def taken(call: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever the call brings
    """Ask a broker that is busy again: it has not taken up what it pushes back."""
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
        await asyncio.sleep(0.05)
