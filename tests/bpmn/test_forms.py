"""A form that a diagram links to is there, under its id."""

import json

from bpmn.render import BPMN
from tests.bpmn.diagram import ZEEBE, Diagram


def test_every_user_task_has_a_form_in_the_file_of_its_id(diagram: Diagram) -> None:
    for task in diagram.all("userTask"):
        [linked] = task.iter(f"{ZEEBE}formDefinition")
        id_ = linked.attrib["formId"]
        form = json.loads((BPMN / f"{id_}.form").read_text(encoding="utf-8"))
        assert (form["id"], form["executionPlatformVersion"]) == (id_, "8.8.0")


def test_no_form_is_there_that_no_diagram_links_to() -> None:
    linked = "".join(file.read_text(encoding="utf-8") for file in BPMN.glob("*.bpmn"))
    assert [file.name for file in BPMN.glob("*.form") if f'formId="{file.stem}"' not in linked] == []
