"""An operator's desk: orders that are brought to a step, and what is checked once they are cancelled there."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyzeebe import ZeebeClient
from pyzeebe.proto.gateway_pb2 import SetVariablesRequest

from saga.clients.instances import ElementInstance, Instances
from saga.operations.compensate.compensator import CODE
from tests.process.test_paths import CANCELLED, REFUNDED, RELEASED
from tests.proxy import HeldReply, HoldingProxy
from tests.stack import ROOT, SAGA, Result, Stack
from tests.world import World, eventually

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

Ways = dict[str, HoldingProxy]
REASON = "the customer called"
CALLED_BACK = "shipping.shipment.undone"


@dataclass(frozen=True)
class Step:
    """A step, its command, and what is undone when an order is cancelled at it."""

    element: str
    task_type: str
    participant: str
    path: str
    undone: list[str]


STEPS = {
    "accept": Step("Task_AcceptOrder", "accept-order", "orders", "/orders/{}", [CANCELLED]),
    "reserve": Step(
        "Task_ReserveInventory", "reserve-inventory", "inventory", "/reservations/{}", [RELEASED, CANCELLED]
    ),
    "payment": Step(
        "Task_ProcessPayment", "process-payment", "payment", "/payments/{}", [REFUNDED, RELEASED, CANCELLED]
    ),
    "ship": Step(
        "Task_ShipOrder", "ship-order", "shipping", "/shipments/{}", [CALLED_BACK, REFUNDED, RELEASED, CANCELLED]
    ),
}
PAYMENT = STEPS["payment"]


@dataclass
class Desk:
    """An operator's desk, and the orders that come over it."""

    stack: Stack
    engine: ZeebeClient
    broker: "GatewayAsyncStub"
    instances: Instances
    world: World
    ways: Ways

    async def start(self, order: dict[str, Any]) -> int:
        return (await self.engine.run_process("order-fulfillment", order)).process_instance_key

    def hold(self, step: Step, order_id: str) -> AbstractContextManager[HeldReply]:
        return self.ways[step.participant].hold_replies("PUT", step.path.format(order_id))

    async def change(self, instance: int, **variables: object) -> None:
        """Change an instance's variables, as a person does."""
        request = SetVariablesRequest(elementInstanceKey=instance, variables=json.dumps(variables), local=True)
        await self.broker.SetVariables(request, timeout=20)

    async def shows(self, instance: int, element: str, *, incident: bool = False) -> ElementInstance:
        """Wait until the cluster shows an element as active, as it must before anybody can act on it.

        It shows elements and instances in its own time each.
        """

        async def seen() -> ElementInstance | None:
            if await self.instances.get(instance) is None:
                return None
            nodes = [node for node in await self.instances.elements(instance) if node.element_id == element]
            stands = [node for node in nodes if (node.incident_key is not None) is incident]
            return next((node for node in stands if node.state == "ACTIVE"), None)

        found = await eventually(seen, lambda node: node is not None)
        assert found is not None
        return found

    async def saga(self, *arguments: str, **environment: str) -> Result:
        return await asyncio.to_thread(self.stack.saga, *arguments, environment=environment)

    async def cancel(self, order_id: str, **environment: str) -> Result:
        return await self.saga("cancel", order_id, "--reason", REASON, "--yes", **environment)

    @contextmanager
    def running(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """Run a command that a test looks at, or ends, while it runs."""
        environment = {**self.stack.environment, "PYTHONUNBUFFERED": "1"}
        command = [str(SAGA), *arguments]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    async def stuck(self, step: Step, order: dict[str, Any]) -> int:
        """Bring an order to an incident at a step that has had its effect: its answer got lost, and then it changed."""
        order_id = order["orderId"]
        with self.hold(step, order_id) as held:
            instance = await self.start(order)
            await asyncio.to_thread(held.wait_until_applied)
            first, *others = order["items"]
            more = [{**first, "quantity": first["quantity"] + 1}, *others]
            await self.change(instance, items=more, card="4111111111111111")
            held.lost = True
        await self.shows(instance, step.element, incident=True)
        return instance

    async def is_cancelled(self, order_id: str, instance: int, step: Step) -> None:
        """Check an order that was cancelled at a step: its tables, the order of its undos, its end and the reason."""
        ends = [node.name for node in await self.instances.path(instance) if node.type == "END_EVENT"]
        assert ends == ["Order cancelled"]
        refusal = {"code": CODE, "message": REASON, "taskType": step.task_type}
        await eventually(lambda: self.instances.variable(instance, "refusal"), lambda seen: seen == refusal, 10)
        events = await self.world.events(order_id)
        assert [event for event in events if event.endswith(".undone")] == step.undone
        effects = await self.world.effects(order_id)
        assert (effects.shipped, effects.reserved, effects.captured) == (0, effects.released, effects.refunded)
        assert effects.status in {None, "cancelled"}
        charges = await self.world.fetch(
            "SELECT captured, refunded FROM card_processor.charges WHERE reference = $1", order_id
        )
        assert all(charge["captured"] == charge["refunded"] for charge in charges)
