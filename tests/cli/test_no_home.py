"""A user without a home: a uid that no passwd entry names, and no HOME, as in many containers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import pwd, sys
def nobody(_uid):
    raise KeyError
pwd.getpwuid = nobody
from saga.cli import main
sys.argv = ["saga", *sys.argv[1:]]
main()
"""
JOURNAL = """
import pwd
def nobody(_uid):
    raise KeyError
pwd.getpwuid = nobody
from saga.common.logs import configure_logging
from saga.cli.run import _journal
from saga.kit.settings import WorkerSettings
configure_logging("workers")
assert _journal(WorkerSettings().state, "127.0.0.1:26500") is None
"""


def run(code: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    without_home = {name: value for name, value in os.environ.items() if name not in {"HOME", "WORKER_STATE"}}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env={**without_home, **environment}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_a_command_needs_no_home(command: str, tmp_path: Path) -> None:
    done = run(WITHOUT, command, SAGA_HOME=str(tmp_path), COLUMNS="300")
    assert "Traceback" not in done.stderr
    assert str(tmp_path) in done.stdout


def test_workers_say_that_they_have_no_journal_and_go_on() -> None:
    done = run(JOURNAL)
    assert done.returncode == 0, done.stderr
    assert '"event":"no journal"' in done.stderr
    assert "WORKER_STATE" in done.stderr
