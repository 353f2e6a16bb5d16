"""The steps and the diagram are two views of one saga: what one says, the other must say too."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import order_fulfillment.steps
from order_fulfillment import docs
from saga.kit.definition.discovery import discover, handlers
from saga.kit.definition.handler import Handler

HANDLERS = handlers(discover(order_fulfillment.steps))
DEFINITIONS = {
    definition.get("type"): definition
    for definition in ET.parse(docs.DIAGRAM).iter("{http://camunda.org/schema/zeebe/1.0}taskDefinition")  # noqa: S314 - ours
}
ERRORS = {
    error.get("errorCode")
    for error in ET.parse(docs.DIAGRAM).iter("{http://www.omg.org/spec/BPMN/20100524/MODEL}error")  # noqa: S314 - ours
}


def test_every_service_task_has_a_step_and_every_step_a_service_task() -> None:
    assert set(DEFINITIONS) == set(HANDLERS)


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
def test_the_diagram_grants_the_retries_that_the_backoff_counts_down_from(handler: Handler) -> None:
    assert int(DEFINITIONS[handler.task_type].get("retries", "3")) == handler.retry.retries


def test_every_error_that_the_diagram_names_is_one_that_a_step_raises() -> None:
    raised = {code for handler in HANDLERS.values() for code in handler.refusals}
    assert raised >= ERRORS


def test_every_step_leaves_a_variable_of_its_own() -> None:
    receipts = [handler.receipt_name for handler in HANDLERS.values()]
    read = {name for handler in HANDLERS.values() for name in handler.fetch}
    assert len(set(receipts)) == len(receipts)
    assert set(receipts) & read == {"acceptance"}, "a receipt must not overwrite what an order is started with"


def test_a_step_is_read_in_a_minute() -> None:
    files = [file for file in Path(order_fulfillment.steps.__path__[0]).glob("*.py") if file.name != "__init__.py"]
    assert {
        file.name: len(file.read_text().splitlines()) for file in files if len(file.read_text().splitlines()) > 80
    } == {}


def test_a_step_without_its_task_in_the_diagram_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diagram = tmp_path / "order-fulfillment.bpmn"
    diagram.write_text(docs.DIAGRAM.read_text(encoding="utf-8").replace('"reserve-inventory"', '"reserve-invntory"'))
    monkeypatch.setattr(docs, "DIAGRAM", diagram)
    named = "No task in order-fulfillment.bpmn has the type reserve-inventory, .* no step does have .* reserve-invntory"
    with pytest.raises(SystemExit, match=named):
        docs.saga_table()


def test_the_readmes_saga_table_is_what_diagram_and_steps_say() -> None:
    readme = docs.README.read_text(encoding="utf-8")
    assert docs.with_saga_table(readme) == readme, "run `make docs`"
