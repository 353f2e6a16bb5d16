"""The embedded stack's tokens: one for each caller, its owner's alone, and the same at every start."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import order_fulfillment.steps
import services
from saga.kit.definition.discovery import discover, handlers
from saga.stack.layout import Layout
from saga.stack.stack import Stack
from saga.stack.tokens import find_tokens, tokens_of
from services.participant.auth import callers_of
from services.participant.server import router_of

OFFSET = 19_998


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the stacks of these tests have their data."""
    for name in [name for name in os.environ if name.startswith("TOKEN")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SAGA_HOME", str(tmp_path))


def read(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_each_caller_of_each_participant_gets_a_token_of_its_own_that_only_the_owner_reads() -> None:
    before = os.umask(0)
    try:
        folder = tokens_of(Layout.of(OFFSET))
    finally:
        os.umask(before)
    callers = {caller for name in services.PORTS for caller in callers_of(router_of(name))}
    found = read(folder)
    assert callers | set(handlers(discover(order_fulfillment.steps))) <= set(found)
    assert all(len(token.strip()) >= 40 for token in found.values())
    assert len(set(found.values())) == len(found)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert [each.name for each in folder.parent.iterdir()] == ["tokens"]


def test_a_token_stays_what_it_is_and_what_is_missing_is_made() -> None:
    folder = tokens_of(Layout.of(OFFSET))
    (folder / "ship-order").write_text("rotated\n")
    (folder / "read").unlink()
    before = read(folder)
    after = read(tokens_of(Layout.of(OFFSET)))
    assert after.pop("read")
    assert after == before


def test_processes_that_start_at_the_same_time_agree() -> None:
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: read(tokens_of(Layout.of(OFFSET))), range(16)))
    assert all(each == seen[0] for each in seen)


def test_services_and_workers_of_the_stack_are_given_the_folder() -> None:
    environment = Stack(OFFSET).application_environment()
    assert environment["TOKENS"] == str(Layout.of(OFFSET).tokens)
    assert read(Path(environment["TOKENS"]))


@pytest.mark.parametrize("name", ["TOKENS", "TOKEN_READ"])
def test_tokens_that_the_user_names_win(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "mine")
    find_tokens(OFFSET)
    assert "TOKENS" not in Stack(OFFSET).application_environment()
    assert os.environ.get("TOKENS", "mine") == "mine"
    assert not Layout.of(OFFSET).tokens.exists()


def test_what_is_started_by_hand_uses_the_stacks_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENS", "")  # Put back at the end, whatever the command sets.
    find_tokens(OFFSET)
    assert os.environ["TOKENS"] == str(Layout.of(OFFSET).tokens)
    assert Path(os.environ["TOKENS"], "read").exists()
