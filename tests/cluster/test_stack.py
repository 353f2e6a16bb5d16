"""The embedded stack as one thing: what the environment changes of it, and its ends that are out of the ordinary."""

from pathlib import Path

import pytest

from workers.cluster import apps
from workers.cluster.ports import HOST, Ports
from workers.cluster.stack import PARTS, Stack

OFFSET = 19_999


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stacks of these tests have their data."""
    for name in ("ZEEBE_ADDRESS", "DATABASE_URL", "PAYMENT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SAGA_HOME", str(tmp_path))
    return tmp_path


def test_a_host_in_the_user_s_shell_moves_no_part_away_from_this_machine() -> None:
    assert apps.service("payment", Ports(), {"HOST": "0.0.0.0"}).environment["HOST"] == HOST  # noqa: S104
    assert apps.service("payment", Ports(), {}).environment["HOST"] == HOST
    assert apps.workers(Ports(), {}).environment["WORKER_HOST"] == HOST


def test_an_empty_variable_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZEEBE_ADDRESS", "DATABASE_URL", "PAYMENT_URL"):
        monkeypatch.setenv(name, "")
    stack = Stack(OFFSET)
    assert stack.parts == PARTS
    assert f"@{HOST}:" in stack.database_url
    assert stack.application_environment()["PAYMENT_URL"] == stack.addresses["payment"]
