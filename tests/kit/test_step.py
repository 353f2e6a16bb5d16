"""The shape of a step: what can be written, and what is refused with a mend."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from saga.kit import BlockingService, Broken, Declined, Job, Receipt, Service, Step, Variables
from saga.kit.definition.discovery import discover, handlers
from saga.kit.definition.step import StepDefinitionError


class Meal(Variables):
    meal_id: str
    spoons: Annotated[int, Field(ge=1)]

    @property
    def saga_id(self) -> str:
        return self.meal_id


class WarmSoup(Receipt):
    litres: float


class ColdSoup(Receipt):
    litres: float


def soup(*, invalid: str | None = None) -> Step:
    step = Step("cook-soup", undo="cool-soup", refuses={"NO_WATER"}, invalid=invalid)

    @step.do
    async def cook(meal: Meal, kitchen: Service, job: Job) -> WarmSoup:  # noqa: ARG001
        return WarmSoup(litres=meal.spoons / 100)

    @step.undo
    async def cool(meal: Meal, kitchen: Service) -> ColdSoup:  # noqa: ARG001
        return ColdSoup(litres=meal.spoons / 100)

    return step


def test_a_step_says_what_the_runtime_must_know() -> None:
    do, undo = soup().handlers()
    assert (do.task_type, undo.task_type) == ("cook-soup", "cool-soup")
    assert (do.receipt_name, undo.receipt_name) == ("warmSoup", "coldSoup")
    assert do.fetch == ["mealId", "spoons", "compensate"]
    assert (do.services, do.job_parameter) == (("kitchen",), "job")
    assert (undo.services, undo.job_parameter) == (("kitchen",), None)
    assert do.refusals == {"NO_WATER"}
    assert undo.refusals == frozenset()
    assert (do.undoes, undo.undoes) == (None, "cook-soup")


def test_variables_that_cannot_be_read_are_an_incident_that_names_the_field_and_not_the_value() -> None:
    do, _ = soup().handlers()
    with pytest.raises(Broken, match=r"spoons: Input should be a valid integer") as caught:
        do.parse('{"mealId": "m", "spoons": "secret"}')
    assert "secret" not in str(caught.value)


def test_variables_that_cannot_be_read_are_a_refusal_where_the_step_declares_a_code() -> None:
    do, undo = soup(invalid="MEAL_INVALID").handlers()
    with pytest.raises(Declined) as caught:
        do.parse('{"mealId": 7}')
    assert caught.value.code == "MEAL_INVALID"
    assert [each.field for each in caught.value.errors] == ["mealId", "spoons"]
    with pytest.raises(Broken):
        undo.parse("{}")


def test_a_job_whose_variables_say_it_belongs_to_a_saga() -> None:
    do, _ = soup().handlers()
    assert do.saga_of('{"mealId": "4711", "spoons": 1}') == "4711"
    assert do.saga_of('{"mealId": "4711", "spoons": "secret"}') is None


def test_a_bug_in_a_sagas_name_is_not_made_worse_by_asking_for_it() -> None:
    class Nameless(Variables):
        spoons: int

    step = Step("cook", undo=None)

    @step.do
    async def cook(meal: Nameless) -> WarmSoup:
        return WarmSoup(litres=meal.spoons)

    [do] = step.handlers()
    assert do.saga_of('{"spoons": 1}') is None


@pytest.mark.parametrize("depth", [199, 250, 900])
def test_a_field_that_is_nested_deeply_is_named(depth: int) -> None:
    do, _ = soup().handlers()
    deep = "[" * depth + '"secret"' + "]" * depth
    with pytest.raises(Broken, match=r"variables\. spoons: \w") as caught:
        do.parse(f'{{"mealId": "Möhre", "spoons": {deep}, "note": {deep}}}')
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("variables", ["", "[]", "null", '"text"', "{", '{"mealId": NaN}', "[" * 5_000])
def test_a_document_that_is_no_object_of_ours_is_told_apart_from_a_bug(variables: str) -> None:
    do, _ = soup().handlers()
    with pytest.raises(Broken):
        do.parse(variables)


def test_a_receipt_with_a_number_that_json_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="finite number"):
        WarmSoup(litres=float("nan"))


def test_a_step_without_its_function_is_refused() -> None:
    with pytest.raises(StepDefinitionError, match=r"decorate one with @step\.do"):
        Step("cook", undo=None).handlers()


def test_a_declared_undo_must_be_written() -> None:
    step = Step("cook", undo="cool")

    @step.do
    async def cook(meal: Meal) -> WarmSoup:
        return WarmSoup(litres=meal.spoons)

    with pytest.raises(StepDefinitionError, match=r"decorate one with @step\.undo"):
        step.handlers()


def test_an_undo_that_was_not_declared_is_refused() -> None:
    step = Step("cook", undo=None)

    async def cool(meal: Meal) -> WarmSoup:
        return WarmSoup(litres=meal.spoons)

    with pytest.raises(StepDefinitionError, match="declares no undo"):
        step.undo(cool)


def test_a_function_the_runtime_cannot_run_is_refused_by_name() -> None:
    step = Step("cook", undo=None)

    def blocking(meal: Meal, kitchen: Service) -> WarmSoup:  # noqa: ARG001
        return WarmSoup(litres=meal.spoons)

    async def waiting(meal: Meal, kitchen: BlockingService) -> WarmSoup:  # noqa: ARG001
        return WarmSoup(litres=meal.spoons)

    async def silent(meal: Meal):  # type: ignore[no-untyped-def]  # noqa: ANN202, ARG001
        return None

    async def untyped(meal: BaseModel) -> WarmSoup:  # noqa: ARG001
        return WarmSoup(litres=1)

    mends: list[tuple[Callable[..., Any], str]] = [
        (blocking, "kitchen must be of type BlockingService"),
        (waiting, "kitchen must be of type Service"),
        (silent, "Receipt"),
        (untyped, "Variables"),
    ]
    for function, mend in mends:
        with pytest.raises(StepDefinitionError, match=f"{function.__name__}.*{mend}"):
            step.do(function)


def test_a_step_without_async_is_one_that_blocks() -> None:
    step = Step("cook", undo=None, limit=5.0, extend_lease=False)

    @step.do
    def cook(meal: Meal, kitchen: BlockingService) -> WarmSoup:  # noqa: ARG001
        return WarmSoup(litres=meal.spoons)

    (do,) = step.handlers()
    assert (do.is_blocking, do.services, do.limit, do.extends_lease) == (True, ("kitchen",), 5.0, False)


def test_a_task_type_has_one_owner() -> None:
    with pytest.raises(StepDefinitionError, match="two functions claim the task type cook-soup"):
        handlers([soup(), soup()])


def test_a_file_in_steps_is_a_step_and_is_named_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("meals")
    package.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "meals", package)
    monkeypatch.setitem(sys.modules, "meals.boil_soup", ModuleType("meals.boil_soup"))
    (tmp_path / "boil_soup.py").touch()
    with pytest.raises(StepDefinitionError, match=r"meals\.boil_soup has no `step"):
        discover(package)
    sys.modules["meals.boil_soup"].step = soup()  # type: ignore[attr-defined]
    with pytest.raises(StepDefinitionError, match=r"name the file cook_soup\.py"):
        discover(package)
