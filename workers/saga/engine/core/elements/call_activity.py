"""Call activities: an instance of another process does the work."""

from .. import correlation, lifecycle, subscriptions
from ..behaviors import behaves_as
from ..creation import create
from ..entities import Definition, ElementInstance
from ..model import Element
from ..records import Fault
from ..scope import to_document
from ..variables import apply_inputs, apply_outputs, variables_of
from ..work import Work
from .activity import Activity


@behaves_as("CALL_ACTIVITY")
class CallActivity(Activity):
    """Creates an instance of the process that it calls, and completes when that does."""

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Call the latest version of the process, with the variables that it is to see."""
        assert element.called is not None
        apply_inputs(work, instance, element.inputs)
        definition = self._called(work, instance, element)
        subscriptions.open_all(work, instance, element)
        lifecycle.activated(work, instance)
        if element.called.all_variables_in:
            given = work.variables(instance.key).texts()
        else:
            held = work.state.tables.variables.get(instance.key, {})
            given = {name: variable.value for name, variable in held.items()}
        child = create(work, definition.key, to_document(given), parent=instance.key)
        lifecycle.activate(work, child)
        correlation.correlate_buffered(work, instance)

    @staticmethod
    def _called(work: Work, instance: ElementInstance, element: Element) -> Definition:
        assert element.called is not None
        process_id = element.called.process_id.string(work.variables(instance.key), work.clock())
        versions = work.state.versions.get(process_id)
        problem = "CALLED_ELEMENT_ERROR"
        if not versions:
            message = f"Expected process with BPMN process id '{process_id}' to be deployed, but not found."
            raise Fault(problem, message)
        if work.model(versions[-1]).root.none_start is None:
            message = f"Expected process with BPMN process id '{process_id}' to have a none start event, but not found."
            raise Fault(problem, message)
        return work.state.tables.definitions[versions[-1]]

    def complete(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Take over the variables of the called instance: by mappings, or all of them."""
        assert element.called is not None
        came = variables_of(instance.variables)
        if element.outputs or element.called.all_variables_out:
            apply_outputs(work, instance, element.outputs, came)
        self.done(work, instance, element)
