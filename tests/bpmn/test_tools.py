"""The tools for the diagram are pinned, and they find nothing to complain about."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bpmn.render import BPMN


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((BPMN / name).read_text(encoding="utf-8"))
    return content


def test_bpmnlint_has_no_error_and_no_warning(node_environment: dict[str, str]) -> None:
    lint = subprocess.run(
        ["npm", "run", "--silent", "lint"],
        cwd=BPMN,
        env=node_environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (lint.returncode, lint.stdout.strip()) == (0, ""), lint.stderr


def test_every_rule_is_on_for_each_version_that_the_diagrams_are_to_run_on() -> None:
    # One configuration each: the rules of all versions have the same names.
    configs = {config.name: read(config.name) for config in BPMN.glob(".bpmnlintrc*")}
    assert {name: config["extends"] for name, config in configs.items()} == {
        ".bpmnlintrc": ["bpmnlint:all", "plugin:camunda-compat/camunda-cloud-8-8"],
        ".bpmnlintrc-8-9": ["plugin:camunda-compat/camunda-cloud-8-9"],
        ".bpmnlintrc-8-10": ["plugin:camunda-compat/camunda-cloud-8-10"],
    }
    assert [name for name, config in configs.items() if "rules" in config] == [], "no rule is off"


@pytest.mark.parametrize("version", ["8-8", "8-9", "8-10"])
def test_lint_of_each_version_finds_what_it_does_not_run(
    node_environment: dict[str, str], version: str, tmp_path: Path
) -> None:
    for config in (*BPMN.glob(".bpmnlintrc*"), BPMN / "package.json"):
        shutil.copy(config, tmp_path)
    (tmp_path / "node_modules").symlink_to(BPMN / "node_modules")
    diagram = (BPMN / "settle-by-hand.bpmn").read_text(encoding="utf-8")
    (tmp_path / "faulty.bpmn").write_text(diagram.replace("<zeebe:userTask />", ""), encoding="utf-8")
    lint = subprocess.run(
        ["npm", "run", "--silent", f"lint:{version}"],
        cwd=tmp_path,
        env=node_environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert lint.returncode == 1
    assert "<zeebe:UserTask>" in lint.stdout


def test_every_tool_has_an_exact_version() -> None:
    versions = read("package.json")["devDependencies"]
    assert [v for v in versions.values() if not re.fullmatch(r"\d+\.\d+\.\d+", v)] == []


def test_the_lock_pins_every_package_by_hash_and_names_no_address() -> None:
    packages = {name: package for name, package in read("package-lock.json")["packages"].items() if name}
    assert len(packages) > len(read("package.json")["devDependencies"])
    assert [name for name, package in packages.items() if not package.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []
