"""What `make` installs: the demo needs no more than it runs, and all locks name the same versions."""

import re
import subprocess

import pytest

from tests.stack import ROOT


def pins(lock: str) -> set[str]:
    return set(
        re.findall(r"^[a-z0-9._-]+(?:\[[a-z,]+\])?==\S+", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE)
    )


def test_the_demo_installs_nothing_that_only_development_needs() -> None:
    done = subprocess.run(["make", "-nB", "demo"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"requirements[a-z-]*\.lock", done.stdout) == ["requirements-embedded.lock"]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-embedded.lock"])
def test_a_smaller_lock_has_the_versions_of_the_largest(lock: str) -> None:
    assert pins(lock)
    assert pins(lock) <= pins("requirements-dev.lock")
