"""`saga --help` costs little, and every part of `saga up` starts with the same imports."""

import os
import resource
import statistics
import subprocess
import sys

import pytest

from saga.cli import COMMANDS, load
from tests import warm
from tests.stack import SAGA

_CPU_SECONDS = 0.35
_DEAR = ("grpc", "httpx", "pydantic", "pydantic_settings", "pyzeebe", "requests", "rich", "sqlalchemy")
"""What a command imports when it needs it."""


def cpu_seconds(*command: str) -> float:
    """Run a command with its modules compiled, as they are from its second run on; return the CPU that it took."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def test_help_takes_little_cpu() -> None:
    cpu_seconds(str(SAGA), "--help")  # compiles what is not compiled yet
    assert statistics.median(cpu_seconds(str(SAGA), "--help") for _ in range(5)) <= _CPU_SECONDS


@pytest.mark.parametrize("module", ["saga.cli", "saga.cli.services"])
def test_a_module_imports_nothing_dear_before_it_needs_it(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(sys.modules.keys() & {set(_DEAR)}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_help_names_every_command_with_a_line_that_is_not_cut() -> None:
    done = subprocess.run(
        [SAGA, "--help"], capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "80"}
    )
    listed = [line.split(maxsplit=1) for line in done.stdout.partition("Commands:")[2].strip().splitlines()]
    assert listed == [[name, entry.help] for name, entry in COMMANDS.items()]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says(name: str) -> None:
    help_ = load(name).help
    assert help_
    status, output, errors = warm.saga((name, "--help"), os.environ)
    assert (status, errors) == (0, "")
    assert f"Usage: saga {name}" in output
    assert help_.split()[0] in output
