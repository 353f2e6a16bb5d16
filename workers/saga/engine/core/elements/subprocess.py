"""Embedded subprocesses."""

from .. import correlation, lifecycle, subscriptions
from ..behaviors import behaves_as
from ..entities import ElementInstance
from ..model import Element
from ..variables import apply_inputs
from ..work import Work
from .activity import Activity


@behaves_as("SUB_PROCESS")
class Subprocess(Activity):
    """A scope of its own that begins at its none start event; only its output mappings let variables out."""

    is_scope = True

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Open what it waits for, and activate the start event."""
        apply_inputs(work, instance, element.inputs)
        subscriptions.open_all(work, instance, element)
        lifecycle.activated(work, instance)
        assert element.none_start is not None
        lifecycle.request(work, instance, element.none_start)
        correlation.correlate_buffered(work, instance)
