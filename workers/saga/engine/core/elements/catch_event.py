"""Elements that wait for a message or a time: intermediate catch events, receive tasks, event-based gateways."""

from .. import correlation, lifecycle, subscriptions
from ..behaviors import behaves_as
from ..entities import ElementInstance
from ..model import Element
from ..variables import apply_inputs
from ..work import Work
from .activity import Activity
from .passing import Passing


@behaves_as("INTERMEDIATE_CATCH_EVENT")
@behaves_as("RECEIVE_TASK")
class CatchEvent(Activity):
    """Completes when that happens which it waits for."""

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Open what it waits for; behind an event-based gateway it has happened already."""
        if instance.triggered:
            super().activate(work, instance, element)
            return
        apply_inputs(work, instance, element.inputs)
        subscriptions.open_all(work, instance, element)
        lifecycle.activated(work, instance)
        correlation.correlate_buffered(work, instance)


@behaves_as("EVENT_BASED_GATEWAY")
class EventBasedGateway(Passing):
    """Waits for the events behind it; the first that happens is the way on."""

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Open what the events behind it wait for."""
        subscriptions.open_all(work, instance, element)
        lifecycle.activated(work, instance)
        correlation.correlate_buffered(work, instance)
