"""Output: signs that cannot be shown become plain ones, what is lost is told, and none of it ends a stack."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from saga.cli import output
from tests.stack import SAGA

FULL = Path("/dev/full")
SHOW = """
import os, sys
from saga.cli.output import guard
from saga.cli.console import SteadyConsole
from saga.stack.display import Readiness
from saga.stack.state import PartState, ProcessId, StackState, State
guard()
now = StackState(supervisor=ProcessId.of(os.getpid()), parts=[PartState(name="orders")])
with Readiness(SteadyConsole()) as readiness:
    for state in (State.READY, State.RESTARTING, State.READY, State.DOWN) * 5:
        now.part("orders").state = state
        readiness(now)
sys.stderr.write("the stack goes on")
"""


def saga(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(SAGA), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="latin-1",
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "ascii:strict"])
def test_signs_that_the_encoding_lacks_are_plain(encoding: str, tmp_path: Path) -> None:
    done = saga("doctor", PYTHONIOENCODING=encoding, SAGA_HOME=str(tmp_path))
    assert done.stderr == ""
    assert done.stdout.splitlines()[0].startswith("+  Python")


def test_a_name_that_is_not_text_is_shown_all_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [SAGA, "status"],
        env={**os.environb, b"SAGA_HOME": os.fsencode(tmp_path) + b"/\xff"},
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    assert b"/?" in done.stdout


@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["--help"]], ids=" ".join)
def test_output_that_is_lost_is_an_error_in_one_line(command: list[str], tmp_path: Path) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [str(SAGA), *command],
            env={**os.environ, "SAGA_HOME": str(tmp_path)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "Error: the output could not be written: No space left on device.\n")


@pytest.mark.parametrize("command", [["status"], ["nonsense"]], ids=" ".join)
def test_closed_streams_are_no_traceback(command: list[str], tmp_path: Path) -> None:
    line = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", str(SAGA), *command]
    done = subprocess.run(line, env={**os.environ, "SAGA_HOME": str(tmp_path)}, check=False)
    assert done.returncode == (0 if command == ["status"] else 2)


@pytest.mark.parametrize("case", ["ascii", "full", "no reader"])
def test_a_stack_goes_on_whatever_becomes_of_its_output(case: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody, FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", SHOW],
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            stdout=full if case == "full" else nobody if case == "no reader" else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "the stack goes on")


def test_a_sign_without_a_plain_one_is_a_question_mark() -> None:
    output.guard()
    assert "✓ ☃ ↻".encode("ascii", "saga.plain") == b"+ ? ~"
