"""A step in a file that postpones the evaluation of its annotations gets its job and its variables all the same."""

from __future__ import annotations

from saga.clients.addresses import Addresses
from saga.kit import Job, Step
from tests.kit.bench import Seen
from tests.runtime.bench import Bench, Done, Task, working


async def test_annotations_that_are_text_are_read(bench: Bench, addresses: Addresses) -> None:
    step = Step(bench.task_type, undo=None)
    seen: list[Job] = []

    @step.do
    async def work(task: Task, job: Job) -> Done:
        seen.append(job)
        return Done(name=task.name, run=1)

    async with working(addresses.engine, step, seen=Seen()):
        assert (await bench.result())["done"]["name"] == bench.name
    assert seen[0].task_type == bench.task_type
