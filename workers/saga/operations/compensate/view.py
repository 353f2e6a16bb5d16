"""An instance as the cluster shows it, read together with its diagram."""

from collections.abc import Sequence
from dataclasses import dataclass

from saga.clients.diagram import Diagram, Path
from saga.clients.failure import Failure, bad_input
from saga.clients.gateway import Ended
from saga.clients.instances import ElementInstance, Instances, ProcessInstance


class NothingToUndo(Failure):
    """The instance has ended, or has done nothing that is its own to undo."""


@dataclass(frozen=True, slots=True)
class View:
    """An active instance; what it shows may lag about a second behind the engine."""

    instance: ProcessInstance
    diagram: Diagram
    path: Path
    elements: Sequence[ElementInstance]

    @property
    def active(self) -> list[ElementInstance]:
        """The elements that are active."""
        return [each for each in self.elements if each.state == "ACTIVE"]

    @property
    def on_the_way(self) -> list[ElementInstance]:
        """Those of them that lead to the process's own end."""
        return [each for each in self.active if not self.diagram.is_beside(each.element_id)]

    @property
    def is_on_path(self) -> bool:
        """Whether it is on its compensation path."""
        return any(each.element_id == self.path.subprocess for each in self.elements)

    @property
    def is_past_its_end(self) -> bool:
        """Whether it has come to an end of the process, and only what is beside the way is still active."""
        ends = (each for each in self.elements if each.type == "END_EVENT" and each.state == "COMPLETED")
        is_at_an_end = any(not self.diagram.is_beside(each.element_id) for each in ends)
        return is_at_an_end and bool(self.active) and not self.on_the_way


async def look(instances: Instances, key: int) -> View:
    """Look at an instance.

    Raises:
        NothingToUndo: It has ended.
        Failure: It is not there, or its diagram has no compensation path.
    """
    instance = await known(instances, key)
    if instance.has_ended:
        message = f"Instance {key} has ended: {await ending(instances, instance)}."
        raise NothingToUndo(message)
    diagram = await diagram_of(instances, instance)
    if diagram.path is None:
        message = (
            f"The process {instance.process_id} of instance {key} has no compensation path: no event subprocess "
            "that an error of any code starts and that throws compensation. Nothing was changed."
        )
        raise Failure(message)
    return View(instance, diagram, diagram.path, await instances.elements(key))


async def diagram_of(instances: Instances, instance: ProcessInstance) -> Diagram:
    """Return the diagram that an instance goes by."""
    return Diagram(await instances.diagram(instance.definition_key), instance.process_id)


async def known(instances: Instances, key: int) -> ProcessInstance:
    """Return an instance.

    Raises:
        Failure: The cluster does not show it.
    """
    instance = await instances.get(key)
    if instance is None:
        message = f"The cluster knows no instance {key}; it may show one about a second after its start."
        raise bad_input(message)
    return instance


async def ending(instances: Instances, instance: ProcessInstance) -> str:
    """Say how an instance has ended."""
    if instance.state == "TERMINATED":
        return "cancelled in the engine, which undid nothing; `saga reconcile` settles what is left of it"
    variables = {name: await instances.variable(instance.key, name) for name in ("outcome", "refusal")}
    return str(Ended.model_validate(variables))
