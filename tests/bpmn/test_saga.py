"""The order's diagram: each step with an effect has its undo, and one chain undoes them in reverse."""

from xml.etree import ElementTree as ET

import pytest

from bpmn import render
from tests.bpmn.diagram import BPMN, Diagram, kind, outputs, task_definition

UNDO = {
    "accept-order": "cancel-order",
    "reserve-inventory": "release-inventory",
    "process-payment": "refund-payment",
    "ship-order": "cancel-shipment",
}


@pytest.fixture(scope="module")
def diagram() -> Diagram:
    """The order's alone."""
    return Diagram(render.DIAGRAM.read_text(encoding="utf-8"))


def steps(diagram: Diagram) -> list[ET.Element]:
    """The service tasks of the happy path, first to last."""
    return [element for element in diagram.path("StartEvent_OrderPlaced") if kind(element) == "serviceTask"]


def handler(diagram: Diagram, undo: ET.Element) -> ET.Element:
    """The one task that a compensation boundary event is associated with."""
    (association,) = [a for a in diagram.all("association") if a.attrib["sourceRef"] == undo.attrib["id"]]
    return diagram.by_id[association.attrib["targetRef"]]


def test_the_happy_path_is_accept_reserve_pay_ship_from_either_start(diagram: Diagram) -> None:
    path = diagram.path("StartEvent_OrderPlaced")
    assert [task_definition(task)["type"] for task in steps(diagram)] == list(UNDO)
    assert path[-1].attrib["name"] == "Order fulfilled"
    assert diagram.path("StartEvent_OrderPlacedByMessage")[1:] == path[1:]


def test_each_step_has_one_compensation_handler_that_does_its_undo(diagram: Diagram) -> None:
    undone_by = {}
    for step in steps(diagram):
        (undo,) = diagram.boundary(step, "compensateEventDefinition")
        task = handler(diagram, undo)
        assert task.attrib.get("isForCompensation") == "true", task.attrib["id"]
        undone_by[task_definition(step)["type"]] = task_definition(task)["type"]
    assert undone_by == UNDO


def test_there_is_no_compensation_handler_without_a_step(diagram: Diagram) -> None:
    handlers = [t for t in diagram.all("serviceTask") if t.attrib.get("isForCompensation") == "true"]
    assert sorted(task_definition(t)["type"] for t in handlers) == sorted(UNDO.values())


def test_the_undo_chain_is_the_happy_path_in_reverse(diagram: Diagram) -> None:
    chain = diagram.path("StartEvent_OrderRefused")
    thrown = [e.find(f"{BPMN}compensateEventDefinition") for e in chain if kind(e) == "intermediateThrowEvent"]
    undone = [definition.attrib["activityRef"] for definition in thrown if definition is not None]
    assert undone == [step.attrib["id"] for step in reversed(steps(diagram))]
    assert [kind(e) for e in chain] == ["startEvent", *["intermediateThrowEvent"] * len(undone), "endEvent"]
    assert chain[-1].attrib["name"] == "Order cancelled"


def test_an_undo_that_is_thrown_bears_the_name_of_the_one_that_catches_it(diagram: Diagram) -> None:
    for definition in diagram.root.iter(f"{BPMN}compensateEventDefinition"):
        event = diagram.parent[definition]
        if kind(event) == "boundaryEvent":
            continue
        (undo,) = diagram.boundary(diagram.by_id[definition.attrib["activityRef"]], "compensateEventDefinition")
        assert event.attrib["name"] == undo.attrib["name"]


def test_a_refusal_with_any_code_interrupts_and_a_cancellation_does_not(diagram: Diagram) -> None:
    starts = [diagram.start(subprocess) for subprocess in diagram.all("subProcess")]
    refused, cancelled = starts
    caught = refused.find(f"{BPMN}errorEventDefinition")
    assert caught is not None
    assert "errorRef" not in caught.attrib
    assert refused.attrib.get("isInterrupting", "true") == "true"
    assert cancelled.find(f"{BPMN}messageEventDefinition") is not None
    assert cancelled.attrib["isInterrupting"] == "false"


def test_the_process_says_how_it_ended_and_why_not_otherwise(diagram: Diagram) -> None:
    assert {e.attrib["name"]: outputs(e) for e in diagram.all("endEvent")} == {
        "Order fulfilled": {"outcome": '="fulfilled"', "refusal": "=null"},
        "Order cancelled": {"outcome": '="cancelled"'},
        "Order rejected": {"outcome": '="rejected"'},
        "Duplicate order ignored": {"outcome": '="duplicate"'},
        "Cancellation recorded": {},  # the order goes on, or is cancelled at Ship order
        "Too late to cancel": {},
    }
    catching_an_error = [diagram.parent[definition] for definition in diagram.root.iter(f"{BPMN}errorEventDefinition")]
    assert len(catching_an_error) == 3
    assert all(outputs(event) == {"refusal": "=refusal"} for event in catching_an_error)


def test_a_cancellations_variables_do_not_reach_the_order(diagram: Diagram) -> None:
    # Without a mapping the engine writes the message's variables over the order's own.
    assert outputs(diagram.by_id["StartEvent_CancellationRequested"]) == {"cancellationRequested": "=true"}
