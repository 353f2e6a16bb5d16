"""A test changes what an argument or a setting lets it change, and no private name: those may go at any time."""

from pathlib import Path

import pytest

from tests.architecture.private_patches import private_patches, private_patches_of

TESTS = Path(__file__).parents[1]


def test_no_test_patches_a_private_name() -> None:
    assert list(private_patches_of(TESTS)) == []


@pytest.mark.parametrize(
    "statement",
    [
        "monkeypatch.setattr(supervisor, '_HANGS', 2)",
        "monkeypatch.setattr('saga.stack.supervisor._HANGS', 2)",
        "monkeypatch.setitem(relay._SESSION, 'idle_session_timeout', '1s')",
        "monkeypatch.delattr(Worker, '_run')",
        "mock.patch.object(relay, '_POLL', 0.1)",
        "setattr(relay, '_POLL', 0.1)",
        "relay._POLL = 0.1",
        "relay._POLL += 0.1",
        "relay._POLL: float = 0.1",
        "patch('services.participant.relay._POLL', 0.1)",
    ],
)
def test_a_patch_of_a_private_name_is_found(statement: str) -> None:
    assert private_patches(statement) == [statement]


@pytest.mark.parametrize("statement", ["monkeypatch.setattr('os.fsync', stop)", "self._x = 1", "f.__name__ = 'y'"])
def test_a_change_of_what_is_public_or_of_its_own_is_none(statement: str) -> None:
    assert private_patches(statement) == []
