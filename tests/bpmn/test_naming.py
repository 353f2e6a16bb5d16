"""One rule carries a reader from a name in the diagram to the task type (bpmn/README.md)."""

import re
from xml.etree import ElementTree as ET

from tests.bpmn.diagram import FLOW_NODES, LINES, TASKS, Diagram, kind, task_definition

PREFIX = {
    "startEvent": "StartEvent",
    "endEvent": "EndEvent",
    "boundaryEvent": "Event",
    "intermediateThrowEvent": "ThrowEvent",
    "exclusiveGateway": "Gateway",
    "serviceTask": "Task",
    "userTask": "Task",
    "subProcess": "SubProcess",
    "sequenceFlow": "Flow",
    "association": "Association",
    "textAnnotation": "TextAnnotation",
    "message": "Message",
    "error": "Error",
}


def in_one_word(name: str) -> str:
    return "".join(word[0].upper() + word[1:] for word in re.findall(r"\w+", name))


def test_every_id_follows_from_the_name(diagram: Diagram) -> None:
    named = [element for element in diagram.all(*FLOW_NODES) if "name" in element.attrib]
    assert named
    assert {e.attrib["name"]: e.attrib["id"] for e in named} == {
        e.attrib["name"]: f"{PREFIX[kind(e)]}_{in_one_word(e.attrib['name'])}" for e in named
    }


def test_only_a_gateway_that_joins_has_no_name_and_its_id_says_what_it_joins(diagram: Diagram) -> None:
    def joins(element: ET.Element) -> bool:
        came, goes = ([child for child in element if kind(child) == way] for way in ("incoming", "outgoing"))
        return kind(element) == "exclusiveGateway" and len(came) > 1 and len(goes) == 1

    unnamed = [element for element in diagram.all(*FLOW_NODES) if "name" not in element.attrib]
    assert [e.attrib["id"] for e in unnamed if not joins(e)] == []
    joined = [next(f for f in diagram.all("sequenceFlow") if f.attrib["targetRef"] == e.attrib["id"]) for e in unnamed]
    assert [e.attrib["id"] for e in unnamed] == [f"Gateway_Join{f.attrib['sourceRef'].split('_')[1]}" for f in joined]


def test_every_line_is_named_after_its_two_ends(diagram: Diagram) -> None:
    def end(reference: str) -> str:
        return reference.split("_", 1)[1]

    lines = diagram.all(*LINES)
    assert [line.attrib["id"] for line in lines] == [
        f"{PREFIX[kind(line)]}_{end(line.attrib['sourceRef'])}_{end(line.attrib['targetRef'])}" for line in lines
    ]


def test_every_task_type_is_the_tasks_name_in_kebab_case(diagram: Diagram) -> None:
    tasks = diagram.all("serviceTask")
    assert {t.attrib["name"]: task_definition(t)["type"] for t in tasks} == {
        t.attrib["name"]: t.attrib["name"].lower().replace(" ", "-") for t in tasks
    }


def test_every_message_and_error_has_an_id_by_its_name(diagram: Diagram) -> None:
    defined = [element for element in diagram.root if kind(element) in {"message", "error"}]
    assert defined
    assert [e.attrib["id"] for e in defined] == [f"{PREFIX[kind(e)]}_{in_one_word(e.attrib['name'])}" for e in defined]


def test_every_task_tells_a_person_what_it_does(diagram: Diagram) -> None:
    documented = {kind(child) for task in diagram.all(*TASKS) for child in task}
    assert "documentation" in documented
    assert [
        task.attrib["name"]
        for task in diagram.all(*TASKS)
        if not any(kind(child) == "documentation" and (child.text or "").strip() for child in task)
    ] == []
