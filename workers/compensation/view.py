"""An instance as Operate shows it, read together with its diagram."""

from collections.abc import Sequence
from dataclasses import dataclass

from workers.client import Ended
from workers.diagram import Diagram, Path
from workers.failure import Failure, bad_input
from workers.operate import FlowNode, Operate, ProcessInstance


class NothingToUndo(Failure):
    """The instance has ended, or has done nothing that is its own to undo."""


@dataclass(frozen=True, slots=True)
class View:
    """An active instance; what it shows lags about a second behind the broker."""

    instance: ProcessInstance
    diagram: Diagram
    path: Path
    nodes: Sequence[FlowNode]

    @property
    def active(self) -> list[FlowNode]:
        """The elements that are active."""
        return [node for node in self.nodes if node.state == "ACTIVE"]

    @property
    def on_the_way(self) -> list[FlowNode]:
        """Those of them that lead to the process's own end."""
        return [node for node in self.active if not self.diagram.is_beside(node.flow_node_id)]

    @property
    def is_on_path(self) -> bool:
        """Whether it is on its compensation path."""
        return any(node.flow_node_id == self.path.subprocess for node in self.nodes)

    @property
    def is_past_its_end(self) -> bool:
        """Whether it has come to an end of the process, and only what is beside the way is still active."""
        ends = (node for node in self.nodes if node.type == "END_EVENT" and node.state == "COMPLETED")
        is_at_an_end = any(not self.diagram.is_beside(node.flow_node_id) for node in ends)
        return is_at_an_end and bool(self.active) and not self.on_the_way


async def look(operate: Operate, key: int) -> View:
    """Look at an instance.

    Raises:
        NothingToUndo: It has ended.
        Failure: It is not there, or its diagram has no compensation path.
    """
    instance = await known(operate, key)
    if instance.state != "ACTIVE":
        message = f"Instance {key} has ended: {await ending(operate, instance)}."
        raise NothingToUndo(message)
    diagram = await diagram_of(operate, instance)
    if diagram.path is None:
        message = (
            f"The process {instance.bpmn_process_id} of instance {key} has no compensation path: no event subprocess "
            "that an error of any code starts and that throws compensation. Nothing was changed."
        )
        raise Failure(message)
    return View(instance, diagram, diagram.path, await operate.flow_nodes(key))


async def diagram_of(operate: Operate, instance: ProcessInstance) -> Diagram:
    """Return the diagram that an instance goes by."""
    return Diagram(await operate.diagram(instance.process_definition_key), instance.bpmn_process_id)


async def known(operate: Operate, key: int) -> ProcessInstance:
    """Return an instance.

    Raises:
        Failure: Operate does not know it.
    """
    instance = await operate.instance(key)
    if instance is None:
        message = f"Operate knows no instance {key}; it learns of one about a second after its start."
        raise bad_input(message)
    return instance


async def ending(operate: Operate, instance: ProcessInstance) -> str:
    """Say how an instance has ended."""
    if instance.state == "CANCELED":
        return "cancelled in the engine, which undid nothing; `saga reconcile` settles what is left of it"
    variables = {name: await operate.variable(instance.key, name) for name in ("outcome", "refusal")}
    return str(Ended.model_validate(variables))
