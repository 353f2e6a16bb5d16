"""Processes are found by their definitions, and a definition tells the tools what they need and no more."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree as ET

import pytest
from pydantic import StringConstraints

from saga.clients.addresses import Addresses
from saga.clients.failure import Failure
from saga.clients.zeebe import place
from saga.common import project
from saga.kit import SagaDefinition, Variables
from saga.kit.definition.registry import SagaRegistry, discover_sagas
from saga.kit.definition.saga import SagaDefinitionError
from saga.kit.definition.step import StepDefinitionError

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
SECRET = "4242424242424242"  # noqa: S105 - a card number for tests
DEFINED = """
from saga.kit import SagaDefinition, Variables


class Model(Variables):
    {name}_id: str


saga = SagaDefinition(process="{process}", noun="{name}", key="{name}Id", model=Model, steps="{name}.steps")
"""
STEP = """
from saga.kit import Receipt, Step, Variables

step = Step("{task}", undo=None)


class Done(Receipt):
    pass


@step.do
async def do(variables: Variables) -> Done:
    return Done()
"""


class Model(Variables):
    trip_id: str


TRIP = SagaDefinition(process="trip", noun="trip", key="tripId", model=Model, steps="trip.steps")


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder `workers` of its own."""
    monkeypatch.setattr(project, "WORKERS", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {"alpha", "beta", "gamma"}:
            del sys.modules[name]


def package(workers: Path, name: str, process: str, *tasks: str) -> None:
    (workers / name / "steps").mkdir(parents=True)
    (workers / name / "__init__.py").write_text(DEFINED.format(name=name, process=process))
    (workers / name / "steps" / "__init__.py").write_text("")
    for task in tasks:
        (workers / name / "steps" / f"{task.replace('-', '_')}.py").write_text(STEP.format(task=task))


def discovered() -> SagaRegistry:
    return discover_sagas.__wrapped__()


def test_every_package_with_a_definition_is_a_process_and_nothing_else_is(workers: Path) -> None:
    package(workers, "alpha", "first", "do-this")
    package(workers, "beta", "second", "do-that")
    (workers / "gamma").mkdir()
    (workers / "gamma" / "__init__.py").write_text("")
    (workers / "delta.py").write_text("raise AssertionError")
    (workers / "saga").mkdir()
    (workers / "saga" / "__init__.py").write_text("")
    found = discovered()
    assert [each.process for each in found.definitions] == ["first", "second"]
    assert found.keys == ["alphaId", "betaId"]
    assert (found.nouns, found.noun_of("second"), found.noun_of("other")) == ("alpha or beta", "beta", "alpha or beta")


def test_a_process_s_steps_are_imported_when_one_is_asked_for_and_not_before(workers: Path) -> None:
    package(workers, "alpha", "first", "do-this")
    found = discovered()
    assert "alpha.steps" not in sys.modules
    assert found.of_task_type("do-this") is found.of_process("first")
    assert "alpha.steps.do_this" in sys.modules
    assert found.of_task_type("do-that") is None
    assert list(found.handlers) == ["do-this"]


def test_two_processes_that_claim_one_task_type_are_refused(workers: Path) -> None:
    package(workers, "alpha", "first", "do-this")
    package(workers, "beta", "second", "do-this")
    with pytest.raises(StepDefinitionError, match="two functions claim the task type do-this"):
        _ = discovered().handlers


def test_two_packages_that_define_one_process_are_refused(workers: Path) -> None:
    package(workers, "alpha", "first")
    package(workers, "beta", "first")
    with pytest.raises(SagaDefinitionError, match="two packages define one process; there are first, first"):
        discovered()


def test_a_model_that_does_not_read_the_key_is_refused() -> None:
    with pytest.raises(SagaDefinitionError, match="trip: Model has no field for the key voyageId; add one"):
        replace(TRIP, key="voyageId")


@pytest.mark.parametrize("value", ["../x", "", "a/b", "x" * 65, "a\n", 4711, None, ["4711"], {"a": "b"}])
def test_a_value_that_is_not_an_id_is_none(value: object) -> None:
    assert TRIP.saga_id(value) is None


def test_an_id_is_of_the_type_that_the_definition_names() -> None:
    assert TRIP.saga_id("trip-1") == "trip-1"
    numbered = replace(TRIP, key_type=Annotated[str, StringConstraints(pattern=r"^[0-9]+$")])
    assert (numbered.saga_id("4711"), numbered.saga_id("trip-1")) == ("4711", None)


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ('{"tripId": "trip-1", "card": "x"}', "trip-1"),
        (b'{"tripId": "trip-1"}', "trip-1"),
        ('{"orderId": "4711"}', None),
        (f'{{"tripId": "{SECRET}/"}}', None),
        ("[]", None),
        ("", None),
        ('{"tripId": ', None),
    ],
)
def test_the_id_is_read_from_variables_and_whatever_else_is_there_is_nobody_s(
    variables: str | bytes, found: str | None
) -> None:
    assert TRIP.saga_in(variables) == found


def test_a_saga_is_named_by_its_key_and_nothing_else() -> None:
    assert TRIP.variables("trip-1") == '{"tripId": "trip-1"}'


async def test_a_process_without_a_start_message_is_started_by_no_message() -> None:
    with pytest.raises(Failure, match="No message starts the process trip; leave --message out"):
        await place(Addresses.of(0), TRIP, "trip-1", {"tripId": "trip-1"})


@pytest.mark.parametrize("saga", discover_sagas().definitions, ids=lambda each: each.process)
def test_what_a_definition_of_the_project_names_is_drawn(saga: SagaDefinition) -> None:
    [diagram] = [
        root
        for root in (ET.parse(path).getroot() for path in project.BPMN.glob("*.bpmn"))  # noqa: S314 - our own files
        if root.find(f"{BPMN}process[@id='{saga.process}']") is not None
    ]
    messages = {each.get("name") for each in diagram.iter(f"{BPMN}message")}
    assert {saga.start_message, saga.cancel_message} - {None} <= messages
    assert saga.steps_found
