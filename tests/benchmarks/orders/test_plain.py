"""The plain workers do the work that ours do: no task type and no refusal is missing in them."""

import order_fulfillment.steps
from order_fulfillment.docs import elements
from saga.kit.definition.discovery import discover
from tests.benchmarks.orders import plain


def test_the_plain_workers_have_every_task_of_the_diagram() -> None:
    assert {task.type for task in plain.router.tasks} == set(elements())


def test_the_plain_workers_know_every_refusal() -> None:
    assert frozenset().union(*(step.refuses for step in discover(order_fulfillment.steps))) == plain.REFUSALS
