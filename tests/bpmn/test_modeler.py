"""bpmn-js, the heart of Camunda Modeler, in a real Chromium reads the diagram and writes all of it back."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from playwright.async_api import Browser

from bpmn.render import page_with
from tests.bpmn.diagram import Diagram, task_definition

ROUND_TRIP = """
async ([xml, zeebe]) => {
  const modeler = new BpmnJS({ container: document.body, moddleExtensions: { zeebe } });
  const { warnings } = await modeler.importXML(xml);
  const types = {};
  modeler.get('elementRegistry').forEach(({ businessObject: { id, extensionElements } }) => {
    const definition = extensionElements?.values.find(value => value.$instanceOf?.('zeebe:TaskDefinition'));
    if (definition) types[id] = definition.type;
  });
  const { xml: saved } = await modeler.saveXML({ format: true });
  return { warnings: warnings.map(String), types, saved };
}
"""


@pytest.fixture(scope="module")
async def opened(browser: Browser, modules: Path, xml: str) -> dict[str, object]:
    zeebe = json.loads((modules / "zeebe-bpmn-moddle" / "resources" / "zeebe.json").read_text(encoding="utf-8"))
    async with page_with(browser, "bpmn-modeler") as page:
        result: dict[str, object] = await page.evaluate(ROUND_TRIP, [xml, zeebe])
        return result


def test_modeler_takes_it_for_an_executable_process_of_camunda_8_8(diagram: Diagram, file: Path) -> None:
    modeler = "{http://camunda.org/schema/modeler/1.0}"
    definitions, process = diagram.root.attrib, diagram.process.attrib
    assert definitions[f"{modeler}executionPlatform"] == "Camunda Cloud"
    assert definitions[f"{modeler}executionPlatformVersion"] == "8.8.0"
    assert (process["id"], process["isExecutable"]) == (file.stem, "true")


def test_it_opens_without_a_warning(opened: dict[str, object]) -> None:
    assert opened["warnings"] == []


def test_it_understands_every_task_type(opened: dict[str, object], diagram: Diagram) -> None:
    assert opened["types"] == {t.attrib["id"]: task_definition(t)["type"] for t in diagram.all("serviceTask")}


def test_saving_loses_no_element_attribute_or_extension(opened: dict[str, object], xml: str) -> None:
    assert ET.canonicalize(str(opened["saved"]), strip_text=True) == ET.canonicalize(xml, strip_text=True)


def test_saving_without_a_change_leaves_the_file_as_it_is(opened: dict[str, object], xml: str) -> None:
    # So a change in Modeler is a small diff: only what a person edited.
    assert opened["saved"] == xml
