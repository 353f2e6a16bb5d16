"""A second process is one folder in workers, one diagram and one service, and nothing else: every tool takes it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import ROOT

PROJECT = Path(__file__).parent / "project"
"""What a user adds."""
SCENARIO = Path(__file__).with_name("scenario.py")
EXTENDING = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
_SECONDS = 200.0


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of this project, as it is, with the trip beside the orders."""
    for folder in ("bpmn", "services", "tests", "workers"):
        # With what is compiled already: hundreds of modules would be compiled anew.
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("node_modules", "results"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(PROJECT, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_it_edits_no_file_and_adds_three_things() -> None:
    added = [
        path.relative_to(PROJECT) for path in PROJECT.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    assert not [path for path in added if (ROOT / path).exists()]
    assert {path.parts[:2] for path in added} == {("bpmn", "trip.bpmn"), ("services", "travel"), ("workers", "trip")}


def test_its_definition_is_the_one_that_the_documentation_shows() -> None:
    shown = re.search(r"<!-- example: workers/trip/__init__.py -->\n```python\n(.*?)```", EXTENDING, re.DOTALL)
    assert shown
    assert shown[1] == (PROJECT / "workers" / "trip" / "__init__.py").read_text(encoding="utf-8")


@pytest.mark.proof  # A stack of its own, and two dozen commands.
def test_every_tool_takes_it_and_orders_go_on_beside_it(checkout: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = f"{checkout}{os.pathsep}{checkout / 'workers'}"
    scenario = SCENARIO.relative_to(ROOT)
    command = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(scenario))
    done = subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^(\d+) passed", done.stdout, re.MULTILINE)
    assert passed
    assert int(passed[1]) == SCENARIO.read_text(encoding="utf-8").count("def test_")
