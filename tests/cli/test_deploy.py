"""`saga deploy`: what it deploys, and what it says of files that cannot be meant."""

from pathlib import Path

import pytest

from tests.stack import ROOT, Stack

DIAGRAM = (ROOT / "bpmn" / "order-fulfillment.bpmn").read_text(encoding="utf-8").replace("order-fulfillment", "other")


@pytest.fixture
def diagram(tmp_path: Path) -> Path:
    return tmp_path / "other.bpmn"


def test_a_task_type_that_no_worker_does_is_named(stack: Stack, diagram: Path) -> None:
    renamed = DIAGRAM.replace("OrderPlaced", "Other").replace('"reserve-inventory"', '"reserve-invntory"')
    diagram.write_text(renamed, encoding="utf-8")
    done = stack.saga("deploy", str(diagram))
    assert (done.status, "Deployed other version 1" in done.output) == (0, True), done.errors
    assert done.errors.startswith(
        "No worker of this project does reserve-invntory (Task_ReserveInventory in other.bpmn): an instance waits there"
    )


def test_of_the_project_s_own_diagrams_every_task_is_done(stack: Stack) -> None:
    done = stack.saga("deploy")
    assert (done.status, done.errors) == (0, "")


def test_a_file_that_the_engine_does_not_take_is_one_line(stack: Stack, diagram: Path) -> None:
    diagram.write_text(DIAGRAM.replace("</bpmn:definitions>", f"<!--{'x' * 5_000_000}--></bpmn:definitions>"))
    done = stack.saga("deploy", str(diagram))
    assert done.status == 1
    [line] = done.errors.splitlines()
    assert "The engine does not take these 5," in line
    assert "Received message larger than max" in line
