"""`saga status` says by its exit status whether every part is ready still."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from saga.cli.stack import app
from saga.stack import state
from saga.stack.layout import Layout
from saga.stack.state import PartState, ProcessId, StackState, State


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["table", "json"])
@pytest.mark.parametrize(("of_part", "status"), [(State.READY, 0), (State.DEGRADED, 1)])
def test_a_part_that_is_not_ready_any_more_is_an_exit_status_of_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_part: State, status: int, arguments: list[str]
) -> None:
    monkeypatch.setenv("SAGA_HOME", str(tmp_path))
    layout = Layout(tmp_path / "stack-0")
    layout.data.mkdir()
    parts = [PartState(name="engine", state=State.READY), PartState(name="orders", state=of_part)]
    state.write(layout.state, StackState(supervisor=ProcessId.of(os.getpid()), parts=parts))
    done = CliRunner().invoke(app, ["status", *arguments])
    assert (done.exit_code, of_part in done.output) == (status, True)
