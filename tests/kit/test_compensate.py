"""A step that is told to compensate runs its undo in place of its do, and leaves by the error; no other step does."""

import json
from typing import Any

import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.kit import Broken, Declined, Receipt, Step, Unavailable
from saga.kit.definition.compensate import VARIABLE, Compensate
from saga.kit.definition.discovery import handlers
from tests.kit.bench import until, working
from tests.kit.gateway import ScriptedGateway
from tests.kit.task import Task

TOLD = {"instance": "7", "code": "CANCELLED", "message": "the customer called"}


class Done(Receipt):
    name: str


class Undone(Receipt):
    name: str


class Order(Task):
    amount: int


def step_of(ran: list[str], error: Exception | None = None, *, with_undo: bool = True) -> Step:
    step = Step("work", undo="take-back" if with_undo else None, refuses={"NO"})

    @step.do
    async def work(order: Order) -> Done:
        ran.append("do")
        return Done(name=order.name)

    if with_undo:

        @step.undo
        async def take_back(task: Task) -> Undone:
            ran.append("undo")
            if error:
                raise error
            return Undone(name=task.name)

    return step


async def told(gateway: ScriptedGateway, step: Step, compensate: object, amount: object = 1) -> Any:  # noqa: ANN401 - a request
    """Give a worker one job of instance 7 that says this; return what it tells the engine."""
    job = gateway.job(retries=10, compensate=compensate, name="a", amount=amount)
    job.processInstanceKey = 7
    gateway.push(job)
    async with working(gateway, step):
        await until(lambda: len(gateway.told) == 1)
    return gateway.told[0]


async def test_it_undoes_itself_and_leaves_by_the_error(gateway: ScriptedGateway) -> None:
    ran: list[str] = []
    answer = await told(gateway, step_of(ran), TOLD, amount="what the do could not read")
    assert ran == ["undo"]
    assert (answer.errorCode, answer.errorMessage) == ("CANCELLED", "the customer called")
    refusal = {"code": "CANCELLED", "message": "the customer called", "taskType": "work"}
    assert json.loads(answer.variables) == {"refusal": refusal}


@pytest.mark.parametrize(
    ("error", "retries", "said"),
    [
        (Unavailable("away"), 9, "away"),
        (Declined("NO", "said the participant"), 9, "take-back was refused with NO, but an undo must succeed."),
        (Broken("mend it."), 0, "Saga a: mend it. Until the undo succeeds, what work did counts as standing."),
    ],
)
async def test_an_undo_that_fails_leaves_by_no_error(
    gateway: ScriptedGateway, error: Exception, retries: int, said: str
) -> None:
    answer = await told(gateway, step_of([], error), TOLD)
    assert isinstance(answer, pb.FailJobRequest)
    assert (answer.retries, answer.errorMessage) == (retries, said)
    assert answer.retryBackOff <= 1000, "the engine counts the retries of the do"


@pytest.mark.parametrize(
    "compensate",
    [{**TOLD, "instance": "8"}, {**TOLD, "code": None}, "7", None, {}],
    ids=["another instance", "no code", "text", "nothing", "empty"],
)
async def test_what_an_order_brings_along_under_that_name_tells_nothing(
    gateway: ScriptedGateway, compensate: object
) -> None:
    ran: list[str] = []
    answer = await told(gateway, step_of(ran), compensate)
    assert isinstance(answer, pb.CompleteJobRequest)
    assert ran == ["do"]


async def test_a_step_without_an_undo_is_carried_out(gateway: ScriptedGateway) -> None:
    ran: list[str] = []
    answer = await told(gateway, step_of(ran, with_undo=False), TOLD)
    assert isinstance(answer, pb.CompleteJobRequest)
    assert ran == ["do"]


@pytest.mark.parametrize(
    ("step", "fetched"),
    [
        (step_of([]), {"work": ["name", "amount", VARIABLE], "take-back": ["name"]}),
        (step_of([], with_undo=False), {"work": ["name", "amount"]}),
    ],
)
def test_a_do_fetches_what_its_undo_reads_and_what_tells_it(step: Step, fetched: dict[str, list[str]]) -> None:
    assert {name: handler.fetch for name, handler in handlers([step]).items()} == fetched


def test_what_is_told_is_one_variable() -> None:
    said = Compensate(instance="7", code="CANCELLED", message="the customer called").as_variables()
    assert json.loads(said) == {VARIABLE: TOLD}
