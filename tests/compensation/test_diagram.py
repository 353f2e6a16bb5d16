"""The compensation path is found in any diagram that has one, and nothing else is taken for it."""

import pytest

from saga.clients.diagram import Diagram, Path, Task
from tests.stack import ROOT

OURS = (ROOT / "bpmn" / "order-fulfillment.bpmn").read_text(encoding="utf-8")
CATCHES_ALL = '<bpmn:errorEventDefinition id="ErrorEventDefinition_OrderRefused" />'


def diagram(xml: str = OURS) -> Diagram:
    return Diagram(xml, "order-fulfillment")


def test_the_path_of_our_process_begins_with_the_undo_of_the_last_step() -> None:
    assert diagram().path == Path("SubProcess_UndoTheOrder", "ThrowEvent_UndoShipment")


@pytest.mark.parametrize(
    ("drawn", "instead"),
    [
        (CATCHES_ALL, CATCHES_ALL.replace(" />", ' errorRef="Error_OrderInvalid" />')),
        (CATCHES_ALL, '<bpmn:messageEventDefinition id="M" messageRef="Message_CancelOrder" />'),
        ('id="SubProcess_UndoTheOrder" name="Undo the order" triggeredByEvent="true"', 'id="SubProcess_UndoTheOrder"'),
        ("bpmn:compensateEventDefinition", "bpmn:signalEventDefinition"),
        ('sourceRef="StartEvent_OrderRefused"', 'sourceRef="ThrowEvent_UndoShipment"'),
    ],
    ids=["one error", "a message", "no event subprocess", "no compensation", "leads nowhere"],
)
def test_what_is_no_path_is_not_taken_for_one(drawn: str, instead: str) -> None:
    assert drawn in OURS
    assert diagram(OURS.replace(drawn, instead)).path is None


def test_only_what_a_worker_does_is_a_task() -> None:
    tasks = [diagram().task(element) for element in ("Task_ShipOrder", "Gateway_InTime", "nothing")]
    assert tasks == [Task("ship-order", "10"), None, None]


def test_a_task_without_retries_has_those_that_the_engine_grants() -> None:
    granted = OURS.replace('type="ship-order" retries="10"', 'type="ship-order"')
    assert diagram(granted).task("Task_ShipOrder") == Task("ship-order", "3")


def test_what_is_in_an_event_subprocess_is_beside_the_way() -> None:
    elements = ("Task_ShipOrder", "SubProcess_CustomerCancels", "Task_RecordCancellation")
    assert [diagram().is_beside(element) for element in elements] == [False, True, True]
    assert [diagram().is_outermost(element) for element in elements] == [True, True, False]
