"""Tokens: from files that change while they are used, or from the environment."""

from pathlib import Path

import pytest

from saga.common.tokens import TokenMissingError, Tokens


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("saga.common.tokens.time.monotonic", lambda: now[0])
    return now


def test_a_token_is_rotated_without_a_restart(tmp_path: Path, clock: list[float]) -> None:
    file = tmp_path / "reserve-inventory"
    file.write_text("old\n")
    read = Tokens({"TOKENS": str(tmp_path)})
    assert read.accepted("reserve-inventory") == ("old",)
    file.write_text("new\nold\n")
    assert read.current("reserve-inventory") == "old", "a request does not look at the disk each time"
    clock[0] += 1.0
    assert read.current("reserve-inventory") == "new"
    assert read.accepted("reserve-inventory") == ("new", "old")
    file.write_text("new\n")
    clock[0] += 1.0
    assert read.accepted("reserve-inventory") == ("new",)


def test_a_token_that_was_missing_is_used_as_soon_as_it_is_there(tmp_path: Path, clock: list[float]) -> None:
    read = Tokens({"TOKENS": str(tmp_path)})
    assert (clock[0], read.accepted("refund-payment")) == (100.0, ())
    (tmp_path / "refund-payment").write_text("new\n")
    assert (clock[0], read.current("refund-payment")) == (100.0, "new")


def test_a_token_that_cannot_be_read_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "reserve-inventory").write_bytes(b"\xff")
    with pytest.raises(TokenMissingError, match=rf"{tmp_path}/reserve-inventory \(UnicodeDecodeError\)"):
        Tokens({"TOKENS": str(tmp_path)}).current("reserve-inventory")
    (tmp_path / "refund-payment").mkdir()
    with pytest.raises(TokenMissingError, match=rf"{tmp_path}/refund-payment \(IsADirectoryError\)"):
        Tokens({"TOKENS": str(tmp_path)}).current("refund-payment")


def test_a_token_comes_from_the_environment_where_there_is_no_folder() -> None:
    read = Tokens({"TOKEN_RESERVE_INVENTORY": "secret"})
    assert read.current("reserve-inventory") == "secret"
    assert read.accepted("release-inventory") == ()


@pytest.mark.parametrize("content", [None, "", "\n \n"])
def test_a_missing_token_is_named_with_the_place_where_it_should_be(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "read").write_text(content)
    with pytest.raises(TokenMissingError, match=f"There is no token for read: {tmp_path / 'read'}"):
        Tokens({"TOKENS": str(tmp_path)}).current("read")
    with pytest.raises(TokenMissingError, match="TOKEN_SHIP_ORDER"):
        Tokens({}).current("ship-order")
