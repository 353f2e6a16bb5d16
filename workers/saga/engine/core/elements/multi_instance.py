"""The body of a parallel multi-instance activity."""

from .. import active, correlation, lifecycle, loops, subscriptions
from ..behaviors import behaves_as
from ..entities import ElementInstance
from ..model import Element
from ..records import not_extracted
from ..variables import check_size, propagate, set_locals
from ..work import Work
from .activity import Activity


@behaves_as("MULTI_INSTANCE_BODY")
class MultiInstanceBody(Activity):
    """Activates an instance of the activity for each item, and collects what comes of them in the items' order."""

    is_scope = True

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Activate the instances; without items it completes at once."""
        items = loops.items_of(work, instance, element)
        if not work.state.active.has_room(instance.process_instance, len(items)):
            message = (
                f"The list has {len(items)} items; at most {active.MAX_ACTIVE} elements and tokens may be active in a "
                "process instance and in those that it calls. Shorten the list, or let it be done in portions"
            )
            raise not_extracted(message)
        subscriptions.open_all(work, instance, element)
        lifecycle.activated(work, instance)
        lifecycle.request_items(work, instance, element, items)
        if items:
            correlation.correlate_buffered(work, instance)
        else:
            lifecycle.complete(work, instance)

    def complete(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Let out what was collected, and note that the activity can be undone, once for all of its instances."""
        assert element.loop is not None
        name = element.loop.collection_name
        if name:
            size = len(loops.items_of(work, instance, element))
            collected = {name: check_size(loops.collection(work, instance, size))}
            set_locals(work, instance, collected)
            propagate(work, work.scope_of(instance), collected)
        self.done(work, instance, element)
