"""Exclusive gateways."""

from .. import lifecycle
from ..behaviors import behaves_as
from ..entities import ElementInstance
from ..model import Element, Flow
from ..records import Fault
from ..work import Work
from .passing import Passing

_NO_FLOW = ("CONDITION_ERROR", "Expected at least one condition to evaluate to true, or to have a default flow")


@behaves_as("EXCLUSIVE_GATEWAY")
class ExclusiveGateway(Passing):
    """Takes the first flow whose condition is true, in the order of the diagram, or else the default flow."""

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Choose a flow and take it."""
        flows = self._choose(work, instance, element)
        lifecycle.activated(work, instance)
        lifecycle.record(work, "ELEMENT_COMPLETING", instance)
        lifecycle.completed(work, instance, element, flows)

    @staticmethod
    def _choose(work: Work, instance: ElementInstance, element: Element) -> list[Flow]:
        default = None
        for flow in element.outgoing:
            if flow.id == element.default_flow:
                default = flow
            elif flow.condition is None or flow.condition.typed(work.variables(instance.key), work.clock(), "BOOLEAN"):
                return [flow]
        if default is None and element.outgoing:
            raise Fault(*_NO_FLOW)
        return [default] if default is not None else []
