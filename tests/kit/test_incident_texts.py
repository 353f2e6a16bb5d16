"""Every incident of a job names its saga, says what to do and, for an undo, what still counts as standing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.kit import Receipt, Step
from saga.kit.execution.crash_guard import CrashGuard, Journal
from tests.kit.bench import until, working
from tests.kit.gateway import ScriptedGateway
from tests.kit.task import Task

STANDING = "Until the undo succeeds, what work did counts as standing."
COMPENSATE = {"instance": "1", "code": "CANCELLED", "message": "the customer called"}


class Worked(Receipt):
    amount: Any = 1


class TakenBack(Receipt):
    amount: Any = 1


def step_of(amount: object = 1) -> Step:
    """A step and its undo, which leave this in their receipts."""
    step = Step("work", undo="take-back")

    @step.do
    async def work(task: Task) -> Worked:
        del task
        return Worked(amount=amount)

    @step.undo
    async def take_back(task: Task) -> TakenBack:
        del task
        return TakenBack(amount=amount)

    return step


async def incident(
    gateway: ScriptedGateway, step: Step, job: pb.ActivatedJob, crash_guard: CrashGuard | None = None
) -> str:
    """Give a worker this job; return the text of its incident."""
    gateway.push(job)
    async with working(gateway, step, crash_guard=crash_guard):
        await until(lambda: any(isinstance(told, pb.FailJobRequest) for told in gateway.told))
    failed: pb.FailJobRequest = gateway.told[-1]
    assert failed.retries == 0
    return failed.errorMessage


@pytest.fixture
def killer(tmp_path: Path) -> Iterator[CrashGuard]:
    """What a worker knows that starts after job 7 has killed those before it three times."""
    journal = Journal.open(tmp_path)
    journal.begin(7, 3)
    journal.close()
    journal = Journal.open(tmp_path)
    yield CrashGuard(3, journal)
    journal.close()


POISON = (
    "was activated 3 times and never answered: most likely it kills its worker, unless the broker was unavailable "
    "each time. Look at the worker's log and its memory, fix the step or the variables, then retry."
)
REFUSED = (
    "ended, but the engine refuses its result. Fix what the step returns, then retry: the same command has one effect."
)


@pytest.mark.parametrize(
    ("task_type", "text"),
    [("work", f"Saga 4711: work {POISON}"), ("take-back", f"Saga 4711: take-back {POISON} {STANDING}")],
)
async def test_a_poison_jobs_incident_names_its_saga_and_what_counts_as_standing(
    gateway: ScriptedGateway, killer: CrashGuard, task_type: str, text: str
) -> None:
    job = gateway.job(key=7, task_type=task_type, name="4711")
    assert await incident(gateway, step_of(), job, killer) == text


async def test_so_does_that_of_a_step_that_kills_its_worker_while_it_undoes_itself(
    gateway: ScriptedGateway, killer: CrashGuard
) -> None:
    job = gateway.job(key=7, name="4711", compensate=COMPENSATE)
    text = await incident(gateway, step_of(), job, killer)
    assert text == f"Saga 4711: take-back {POISON} {STANDING}"


async def test_a_poison_jobs_incident_is_about_the_poison_also_where_its_headers_are_wrong(
    gateway: ScriptedGateway, killer: CrashGuard
) -> None:
    job = gateway.job(key=7, name="4711", headers='{"retryCount": "many"}')
    assert await incident(gateway, step_of(), job, killer) == f"Saga 4711: work {POISON}"


@pytest.mark.parametrize(
    ("task_type", "text"),
    [("work", f"Saga 4711: work {REFUSED}"), ("take-back", f"Saga 4711: take-back {REFUSED} {STANDING}")],
)
async def test_the_incident_of_a_result_that_the_engine_refuses_says_the_same(
    gateway: ScriptedGateway, task_type: str, text: str
) -> None:
    gateway.verdict = lambda request: (
        grpc.StatusCode.INVALID_ARGUMENT if isinstance(request, pb.CompleteJobRequest) else None
    )
    assert await incident(gateway, step_of(), gateway.job(task_type=task_type, name="4711")) == text


@pytest.mark.parametrize(("task_type", "stands"), [("work", ""), ("take-back", f" {STANDING}")], ids=["do", "undo"])
@pytest.mark.parametrize(
    ("amount", "what_to_do"),
    [(float("nan"), "Mend the step, then retry."), ("x" * 1_000_001, "Keep less in it.")],
    ids=["NaN", "too large"],
)
async def test_the_incident_of_a_result_that_cannot_be_written_says_the_same(
    gateway: ScriptedGateway, task_type: str, stands: str, amount: object, what_to_do: str
) -> None:
    text = await incident(gateway, step_of(amount), gateway.job(task_type=task_type, name="4711"))
    assert text.startswith(f"Saga 4711: {task_type} left ")
    assert text.endswith(f"{what_to_do}{stands}")
