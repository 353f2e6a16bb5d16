"""The tools for the diagram are pinned, and they find nothing to complain about."""

import json
import re
import subprocess
from typing import Any

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


def test_every_rule_but_one_is_on_and_the_engines_version_is_checked() -> None:
    config = read(".bpmnlintrc")
    assert config["extends"] == ["bpmnlint:all", "plugin:camunda-compat/camunda-cloud-8-6"]
    assert config["rules"] == {"camunda-compat/zeebe-user-task": "off"}, "docs/adr/0032 says why"


def test_every_tool_has_an_exact_version() -> None:
    versions = read("package.json")["devDependencies"]
    assert [v for v in versions.values() if not re.fullmatch(r"\d+\.\d+\.\d+", v)] == []


def test_the_lock_pins_every_package_by_hash_and_names_no_address() -> None:
    packages = {name: package for name, package in read("package-lock.json")["packages"].items() if name}
    assert len(packages) > len(read("package.json")["devDependencies"])
    assert [name for name, package in packages.items() if not package.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []
