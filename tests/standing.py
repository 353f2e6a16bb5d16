"""Instances that stand still at an incident: brought there, looked at and mended through the engine's own API."""

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from pyzeebe.proto import gateway_pb2 as pb

from order_fulfillment.names import PROCESS
from saga.clients.instances import ElementInstance, Instances
from tests.runtime.broker import taken
from tests.stack import Stack
from tests.world import World, eventually

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

Incident = dict[str, Any]
Order = dict[str, Any]


class Standing:
    """What stands still in the suite's engine."""

    def __init__(self, gateway: "GatewayAsyncStub", instances: Instances, world: World, stack: Stack) -> None:
        self.gateway = gateway
        self._instances = instances
        self._world = world
        self._stack = stack

    async def start(self, variables: Order, *, at: str | None = None, process: str = PROCESS) -> int:
        """Create an instance, at an element as if all before it were done; return its key."""
        begin = [pb.ProcessInstanceCreationStartInstruction(elementId=at)] if at else []
        request = pb.CreateProcessInstanceRequest(
            bpmnProcessId=process, version=-1, variables=json.dumps(variables), startInstructions=begin
        )
        return int((await taken(lambda: self.gateway.CreateProcessInstance(request))).processInstanceKey)

    async def ended(self, order: Order) -> Order:
        """Carry an order out and return the variables with which it ended."""
        create = pb.CreateProcessInstanceRequest(bpmnProcessId=PROCESS, version=-1, variables=json.dumps(order))
        request = pb.CreateProcessInstanceWithResultRequest(request=create, requestTimeout=120_000)
        ended = await taken(lambda: self.gateway.CreateProcessInstanceWithResult(request))
        variables: Order = json.loads(ended.variables)
        return variables

    async def at_shipping(self, *orders: Order, ship_to: object = None) -> list[int]:
        """Carry orders out up to Ship order, which cannot read where to: return their instances."""
        with self._stack.halted("payment"):  # It reads nothing of what is changed meanwhile.
            instances = [await self.start(order) for order in orders]
            for order, instance in zip(orders, instances, strict=True):
                look = partial(self._world.effects, order["orderId"])
                await eventually(look, lambda effects: effects.reserved > 0)
                await self.set(instance, shipTo=ship_to)
        for instance in instances:
            await self.incident(instance)
        return instances

    async def set(self, instance: int, **variables: object) -> None:
        """Set variables of an instance."""
        request = pb.SetVariablesRequest(elementInstanceKey=instance, variables=json.dumps(variables))
        await taken(lambda: self.gateway.SetVariables(request))

    async def job(self, task_type: str) -> pb.ActivatedJob:
        """Take a job that no worker of the suite takes."""
        request = pb.ActivateJobsRequest(type=task_type, worker="test", timeout=60_000, maxJobsToActivate=1)
        [job] = [job async for answer in self.gateway.ActivateJobs(request) for job in answer.jobs]
        return job

    async def incident(self, instance: int, *, after: int = 0) -> Incident:
        """Return the one open incident of an instance; with `after`, one that is younger than that one."""
        found = await eventually(
            lambda: self.incidents(instance), lambda seen: bool(seen) and all(each["key"] > after for each in seen)
        )
        assert len(found) == 1, found
        return found[0]

    async def incidents(self, instance: int) -> list[Incident]:
        """Return the open incidents of an instance, as the cluster shows them by now."""
        return await self._incidents(instance, "ACTIVE")

    async def healed(self, instance: int) -> None:
        """Wait until the cluster shows no open incident of an instance any more."""
        await eventually(lambda: self.incidents(instance), lambda open_: not open_)

    async def all_incidents(self, instance: int) -> list[Incident]:
        """Return every incident that an instance ever had."""
        return await self._incidents(instance, None)

    async def element(self, incident: Incident) -> ElementInstance:
        """Return the element at which an incident is."""
        element = await self._instances.element(incident["elementInstanceKey"])
        assert element is not None
        assert element.incident_key == incident["key"]
        return element

    async def _incidents(self, instance: int, state: str | None) -> list[Incident]:
        pages = self._instances.incidents(state=state, instance=instance)
        return [each.model_dump(by_alias=True) async for page in pages for each in page]
