"""The plain workers do the work that ours do: no task type and no refusal is missing in them."""

import workers.steps
from tests.benchmarks.orders import plain
from workers.docs import elements
from workers.kit.discovery import discover


def test_the_plain_workers_have_every_task_of_the_diagram() -> None:
    assert {task.type for task in plain.router.tasks} == set(elements())


def test_the_plain_workers_know_every_refusal() -> None:
    assert frozenset().union(*(step.refuses for step in discover(workers.steps))) == plain.REFUSALS
