"""Camunda user tasks: a person does them."""

from .. import correlation, lifecycle, subscriptions, user_tasks
from ..behaviors import behaves_as
from ..entities import ElementInstance
from ..model import Element
from ..variables import apply_inputs
from ..work import Work
from .activity import Activity


@behaves_as("USER_TASK")
class CamundaUserTask(Activity):
    """Creates a task for a person and completes with it."""

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Carry out the input mappings, open what it waits for, and create the task."""
        apply_inputs(work, instance, element.inputs)
        subscriptions.open_all(work, instance, element)
        value, assignee = user_tasks.prepare(work, instance, element)
        lifecycle.activated(work, instance)
        work.event("USER_TASK", "CREATED", work.key(), value)
        if assignee:
            key = work.state.user_task_of[instance.key]
            work.event("USER_TASK", "ASSIGNED", key, {**value, "assignee": assignee, "action": ""})
        correlation.correlate_buffered(work, instance)

    def terminate(self, work: Work, instance: ElementInstance) -> None:
        """Withdraw the task."""
        task = work.state.tables.user_tasks.get(work.state.user_task_of.get(instance.key, -1))
        if task is not None:
            work.event("USER_TASK", "CANCELED", task.key, user_tasks.task_value(work, task))
