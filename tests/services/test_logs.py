"""Logs: JSON for machines, and no card, name, address or secret whichever way it comes."""

import io
import json
import logging
from pathlib import Path

import pytest
import structlog
from pydantic import BaseModel

from saga.common.logs import REDACTED
from tests.services.conftest import Logged, logging_to
from tests.services.participant import ADDRESS, PAYS


class Customer(BaseModel):
    name: str


@pytest.mark.parametrize(
    ("fields", "secret"),
    [
        ({"card": "1"}, '"1"'),
        ({"shipTo": ADDRESS}, "Lovelace"),
        ({"order": {"items": [{"ship_to": ADDRESS}], "address": "12 Row"}}, "Row"),
        ({"details": [{"postal-code": "10115"}, {"City": "Berlin"}]}, "Berlin"),
        ({"customer": Customer(name="Ada Lovelace")}, "Lovelace"),
        ({"error": ValueError("Ada Lovelace")}, "Lovelace"),
        ({"text": f"paid with {PAYS}."}, PAYS),
        ({"text": "paid with 4242 4242 4242 4242."}, "4242 4242"),
        ({"number": PAYS}, PAYS),
        ({"job": f"paid with {PAYS}"}, PAYS),
        ({"card": int(PAYS)}, PAYS),
        ({"url": "postgresql://me:hunter2@host/db"}, "hunter2"),
        ({"password": "hunter2", "Authorization": "Bearer hunter2"}, "hunter2"),
    ],
)
def test_personal_and_secret_values_are_taken_out(logged: Logged, fields: dict[str, object], secret: str) -> None:
    structlog.get_logger("services.test").info("something", **fields)
    [line] = logged()
    assert line["event"] == "something"
    assert set(fields) <= set(line)
    assert secret not in json.dumps(line)


def test_harmless_values_are_kept(logged: Logged) -> None:
    harmless = {"saga_id": "4711", "retries": 3, "ready": True, "job_key": 2251799813685249, "items": ["a", 1.5]}
    structlog.get_logger("workers.test").info("something", path=Path("/tmp/log"), **harmless)  # noqa: S108
    [line] = logged()
    assert {key: line[key] for key in harmless} == harmless
    assert (line["path"], line["service"], line["level"], line["logger"]) == (
        "/tmp/log",  # noqa: S108
        "payment",
        "info",
        "workers.test",
    )
    assert str(line["timestamp"]).endswith("Z")


def test_the_engines_keys_are_kept_though_some_have_a_cards_check_digit(logged: Logged) -> None:
    keys = range(2251799813685249, 2251799813685249 + 20)
    log = structlog.get_logger("workers.test")
    for key in keys:
        log.info("job answered", job=key, instance=str(key), order={"claimant": str(key)}, pids=[key], text=str(key))
    assert [(line["job"], line["instance"], line["order"], line["pids"]) for line in logged()] == [
        (key, str(key), {"claimant": str(key)}, [key]) for key in keys
    ]
    assert REDACTED in {line["text"] for line in logged()}


@pytest.mark.parametrize("name", ["services.test", "a.library"])
def test_an_exception_is_logged_by_type_and_place_but_not_by_its_message(logged: Logged, name: str) -> None:
    def fail() -> None:
        message = "row of Ada Lovelace"
        raise LookupError(message)

    try:
        try:
            fail()
        except LookupError as error:
            raise ValueError(PAYS) from error
    except ValueError:
        structlog.get_logger("services.test").exception("it failed")
        logging.getLogger(name).exception("it failed")
    for line in logged():
        assert line["event"] == "it failed"
        text = json.dumps(line)
        assert "Lovelace" not in text
        assert PAYS not in text
        assert "LookupError" in text
        assert "ValueError" in text
        assert "test_logs.py" in text
    assert len(logged()) == 2


HELD = "a local value"


def fail(error: Exception, held: str) -> None:
    assert held
    raise error


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("name", ["services.test", "a.library"])
def test_a_terminal_shows_an_exception_by_type_and_place_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    terminal = Terminal()
    with logging_to(terminal, monkeypatch):
        try:
            fail(ValueError(PAYS), HELD)
        except ValueError:
            log = structlog.get_logger(name) if name == "services.test" else logging.getLogger(name)
            log.exception("it failed")
    shown = terminal.getvalue()
    assert "it failed" in shown
    assert "\nValueError\n" in shown
    assert "test_logs.py" in shown
    assert PAYS not in shown


def test_a_traceback_of_a_test_is_drawn_without_its_local_values(capsys: pytest.CaptureFixture[str]) -> None:
    """To draw what the frames of a web framework hold takes seconds."""
    structlog.reset_defaults()
    try:
        fail(LookupError("no such row"), HELD)
    except LookupError:
        structlog.get_logger().exception("it failed")
    shown = capsys.readouterr().out
    assert "Traceback (most recent call last):\n" in shown
    assert "LookupError: no such row" in shown
    assert HELD not in shown


def test_a_librarys_message_is_scrubbed_and_its_chatter_is_not_heard(logged: Logged) -> None:
    logging.getLogger("a.library").warning("%s says %s", "postgresql://me:hunter2@host", PAYS)
    logging.getLogger("a.library").info("chatter")
    [line] = logged()
    assert line["event"] == f"postgresql://{REDACTED}@host says {REDACTED}"
