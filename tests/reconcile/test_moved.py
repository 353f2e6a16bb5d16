"""A step that an operator activates anew: its effect is the new element's, and nothing takes it back."""

from collections.abc import Callable
from typing import Any

from pyzeebe.proto import gateway_pb2 as pb

from tests.reconcile.lab import Lab
from tests.reconcile.test_faults import DOS, cases
from tests.world import eventually

NewOrder = Callable[..., dict[str, Any]]


async def move(lab: Lab, instance: int, element: str) -> None:
    """Cancel an element and add a token to it, as a modification does."""

    async def active() -> list[int]:
        nodes = await lab.instances.elements(instance)
        return [node.key for node in nodes if (node.element_id, node.state) == (element, "ACTIVE")]

    [key] = await eventually(active, bool)
    request = pb.ModifyProcessInstanceRequest(
        processInstanceKey=instance,
        activateInstructions=[pb.ModifyProcessInstanceRequest.ActivateInstruction(elementId=element)],
        terminateInstructions=[pb.ModifyProcessInstanceRequest.TerminateInstruction(elementInstanceKey=key)],
    )
    await lab.broker.ModifyProcessInstance(request, timeout=20)


async def test_what_a_step_did_before_it_was_activated_anew_is_kept(lab: Lab, new_order: NewOrder) -> None:
    async with lab.reconciler():
        with lab.workers():
            async with cases(lab, new_order, DOS) as made:
                for case in made:
                    await move(lab, case.instance, case.moment.element)
                for case in made:
                    case.release()
                for case in made:
                    assert await lab.ended(case.instance) == "COMPLETED"
        settled = "SELECT count(*) AS open FROM {}.barrier WHERE op = 'do' AND settlement IS NULL AND saga_id = $1"
        for case in made:
            for service in ("orders", "inventory", "payment", "shipping"):

                async def unsettled(query: str = settled.format(service), order_id: str = case.order_id) -> int:
                    return int((await lab.world.fetch(query, order_id))[0]["open"])

                await eventually(unsettled, lambda count: count == 0, 30)
    for case in made:
        assert await lab.orphans(case.order_id, "COMPLETED") == 0
        assert not [event for event in await lab.world.events(case.order_id) if event.endswith(".undone")]
