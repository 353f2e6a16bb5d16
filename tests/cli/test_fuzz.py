"""No command answers bad input, or a hostile machine, with a traceback, nor with success where it did nothing."""

import json
import os
import subprocess
import sys

import pytest

from tests.stack import ROOT

AMBIENT = ("ZEEBE_", "CAMUNDA_", "WORKER_", "RECONCILER_", "TOKEN", "DATABASE_URL", "PORT", "HOST")


def wrong(share: int) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(AMBIENT)}
    command = [sys.executable, "-m", "tests.cli.fuzz", str(share)]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_bad_input_is_told_in_plain_words() -> None:
    assert wrong(share=97) == {}


@pytest.mark.proof
def test_bad_input_of_every_kind_is_told_in_plain_words() -> None:
    assert wrong(share=1) == {}
