"""Who takes part in a run, by what is on the PATH: the programs are faked, and nothing is installed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from saga.stack.errors import StackError
from tests.benchmarks.lineup import JAVA, NAMES, line_up

Install = Callable[..., None]
_JAVA_PROGRAMS = ("java", "javac", "mvn")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make the PATH hold Node and nothing else; return what adds a program."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))

    def add(name: str, script: str = "") -> None:
        (programs / name).write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
        (programs / name).chmod(0o755)

    add("node", "echo v20.0.0")
    add("npm")
    return add


def test_with_a_jdk_and_maven_all_peers_take_part(tmp_path: Path, install: Install) -> None:
    for program in _JAVA_PROGRAMS:
        install(program)
    lined_up = line_up(tmp_path)
    assert tuple(lined_up.peers) == NAMES
    assert lined_up.left_out == {}


@pytest.mark.parametrize("missing", _JAVA_PROGRAMS)
def test_without_one_of_their_programs_java_is_left_out_and_the_program_is_named(
    tmp_path: Path, install: Install, missing: str
) -> None:
    for program in _JAVA_PROGRAMS:
        if program != missing:
            install(program)
    lined_up = line_up(tmp_path)
    assert tuple(lined_up.peers) == tuple(name for name in NAMES if name != JAVA)
    assert lined_up.left_out == {JAVA: f"no {missing} on the PATH"}


def test_maven_builds_below_the_work_folder_and_the_peer_runs_from_there(tmp_path: Path, install: Install) -> None:
    said = tmp_path / "said"
    for program in _JAVA_PROGRAMS:
        install(program, f'echo "$@" >{said}')
    java = line_up(tmp_path / "work").peers[JAVA]
    assert f"-Dbuild.folder={tmp_path}/work/java " in said.read_text(encoding="utf-8")
    path = java.command[list(java.command).index("-cp") + 1]
    assert path.split(os.pathsep) == [f"{tmp_path}/work/java/classes", f"{tmp_path}/work/java/dependency/*"]


def test_a_maven_that_fails_is_quoted(tmp_path: Path, install: Install) -> None:
    for program in _JAVA_PROGRAMS:
        install(program, "echo the artifact is not there; exit 1")
    with pytest.raises(StackError, match=r"Maven cannot build the Java peer(?s:.*)the artifact is not there"):
        line_up(tmp_path)
