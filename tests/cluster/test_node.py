"""Node: the machine's own where it is new enough, the wheel's everywhere else."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from saga.stack.node import node_environment, own_node


def pretend(folder: Path, version: str) -> None:
    """Make a machine whose Node says `version`."""
    for name in ("node", "npm"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)


def test_a_machine_without_node_gets_the_wheel_s_with_its_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # npm finds its Node, and a shell to run, by the PATH.
    (tmp_path / "sh").symlink_to("/bin/sh")
    (tmp_path / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert own_node() is None
    environment = node_environment()
    for name in ("node", "npm"):
        program = shutil.which(name, path=environment["PATH"])
        assert program is not None
        said = subprocess.run([program, "--version"], env=environment, capture_output=True, text=True, check=True)
        assert said.stdout.strip().lstrip("v")[0].isdigit()


@pytest.mark.parametrize(("version", "used"), [("v18.20.0", False), ("v20.0.0", True), ("v24.19.0", True)])
def test_the_machine_s_own_node_is_used_when_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, *, used: bool
) -> None:
    pretend(tmp_path, version)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert (own_node() == str(tmp_path / "node")) is used
    assert (node_environment()["PATH"] == os.environ["PATH"]) is used
