"""Logging: JSON lines for machines, readable lines on a terminal, and nobody's data in either.

Redaction keeps what is known to be harmless rather than hunting for what is not: values under a personal or secret
key are masked, objects are named by their type only, and an exception is written as its type and its frames,
because its message may quote a row or a variable.
"""

import logging
import re
import sys
import time
import traceback
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from typing import Any, ClassVar, TextIO

import structlog
from pydantic_core import to_json
from structlog.typing import ExcInfo, Processor

from saga.common import luhn

REDACTED = "[redacted]"
_PERSONAL = frozenset(
    {
        *("card", "cardnumber", "cvc", "pan"),
        *("name", "street", "city", "postalcode", "address", "shipto", "email", "phone", "customerid"),
        *("password", "passwd", "secret", "clientsecret", "token", "accesstoken", "authorization", "cookie"),
        *("databaseurl", "dsn", "apikey"),
    }
)
"""Keys, without case, `_` and `-`, whose values nobody logs."""
_ENGINE_KEYS = frozenset({"job", "instance", "claimant"})
"""Keys whose values are the engine's numbers, as text too: one in ten of them has the check digit of a card."""
_META = frozenset({"_record", "_from_structlog"})
"""A library's record under structlog's own formatter; its text is in the event already."""
_PLAIN = frozenset({type(None), bool, int, float})
"""An int is never a card: our models hold those as text."""
_SHORT = 64
"""Characters of a text that counts as a word."""
_SUSPICIOUS = re.compile(r"\d[\d -]{10,}\d|://")
"""Text that is looked at more closely; most has nothing like it."""
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){11,18}(?!\d)")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+(?=@)")


def configure_logging(service: str) -> None:
    """Log to standard error from now on, with `service` in each line; structlog and the standard library alike.

    What structlog is told goes straight to standard error: a line per job is too many for the standard library's
    records. Libraries are heard from WARNING on: what they say below that is about their insides, and may quote
    anything.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        redact,  # before what we add ourselves, which needs no look
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _stamp,
    ]
    renderer: Processor
    if sys.stderr.isatty():
        shared.append(_as_text)
        renderer = structlog.dev.ConsoleRenderer()
    else:
        shared.append(_named(service))
        renderer = _json
    _Lines.stream = sys.stderr
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=_Lines,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)


class _Lines:
    """Writes the lines of one logger to what was standard error when logging was configured."""

    stream: ClassVar[TextIO] = sys.stderr

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        # A full disk, or a reader who is gone, costs lines and nothing else.
        with suppress(OSError, ValueError):
            self.stream.write(f"{line}\n")

    debug = info = warning = error = critical = msg


def _json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:  # noqa: ANN401
    return to_json(event).decode()


def _stamp(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401
    """Add the time (ISO 8601, UTC); only what is below the second is written anew for each line."""
    seconds, fraction = divmod(time.time(), 1)
    event["timestamp"] = f"{_until_second(int(seconds))}.{int(fraction * 1_000_000):06d}Z"
    return event


@lru_cache(maxsize=2)
def _until_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401
    """Take everything personal or secret out of a structlog event."""
    failure = _failure(event.pop("exc_info")) if "exc_info" in event else None
    for key, value in event.items():
        if value.__class__ is str and len(value) <= _SHORT:
            clean: object = _clean_word(key, value)
        elif key in _META:
            continue
        else:
            clean = _clean(key, value)
        if clean is not value:
            event[key] = clean
    if failure:
        event["exception"] = failure
    return event


def _clean(key: str, value: object) -> object:  # noqa: PLR0911 - a line for each kind of value
    if _is_personal(key):
        return REDACTED
    if value.__class__ in _PLAIN:
        return value
    match value:
        case str():
            return value if _SUSPICIOUS.search(value) is None else _scrub(key, value)
        case Enum():
            return _clean(key, value.value)
        case PurePath():
            return _scrub(key, str(value))
        case Mapping():
            return {str(inner): _clean(str(inner), each) for inner, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean("", each) for each in value]
        case _:
            return f"<{type(value).__name__}>"


@lru_cache(maxsize=4096)  # the words of a busy worker's lines are the same again and again
def _clean_word(key: str, word: str) -> object:
    return _clean(key, word)


@lru_cache(maxsize=1024)  # keys are words of our code, but for those of what a mapping holds
def _is_personal(key: str) -> bool:
    return key.lower().replace("_", "").replace("-", "") in _PERSONAL


def _scrub(key: str, text: str) -> str:
    if key in _ENGINE_KEYS and text.isdecimal():
        return text
    masked = _CARD.sub(lambda found: REDACTED if _is_card(found[0]) else found[0], text)
    return _CREDENTIALS.sub(REDACTED, masked)


def _is_card(text: str) -> bool:
    """Tell a card number from any other long number by length and check digit."""
    digits = "".join(each for each in text if each.isdigit())
    return len(digits) in luhn.LENGTHS and luhn.fits(digits)


def _failure(exc_info: ExcInfo | BaseException | bool | None) -> list[str] | None:  # noqa: FBT001 - structlog's own
    match exc_info:
        case BaseException():
            error: BaseException | None = exc_info
        case (_, BaseException() as raised, _):
            error = raised
        case True:
            error = sys.exception()
        case _:
            error = None
    if error is None:
        return None
    lines = []
    while error is not None:
        lines.append(type(error).__qualname__)
        frames = traceback.extract_tb(error.__traceback__)
        lines += [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return lines


def _as_text(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401
    """Write an exception's types and frames as a text, which is all that structlog can show on a terminal."""
    if "exception" in event:
        event["exception"] = "\n".join(event["exception"])
    return event


def _named(service: str) -> Processor:
    def processor(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401
        event["service"] = service
        return event

    return processor
