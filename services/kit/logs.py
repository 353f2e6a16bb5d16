"""Logging: JSON lines for machines, readable lines on a terminal, and nobody's data in either.

Redaction keeps what is known to be harmless rather than hunting for what is not: values under a personal or secret
key are masked, objects are named by their type only, and an exception is written as its type and its frames,
because its message may quote a row or a variable.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from enum import Enum
from pathlib import PurePath
from typing import Any

import structlog
from structlog.typing import ExcInfo, Processor

from services.kit import luhn

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
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){11,18}(?!\d)")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+(?=@)")


def configure_logging(service: str) -> None:
    """Log to standard error from now on, with `service` in each line; structlog and the standard library alike.

    Libraries are heard from WARNING on: what they say below that is about their insides, and may quote anything.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    renderer: Processor
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    else:
        shared.append(_named(service))
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
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
    for ours in ("services", "workers"):
        logging.getLogger(ours).setLevel(logging.INFO)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401
    """Take everything personal or secret out of a structlog event."""
    failure = _failure(event.pop("exc_info", None))
    # A library's record under structlog's own formatter; its text is in the event already.
    meta = {key: event[key] for key in ("_record", "_from_structlog") if key in event}
    cleaned = {key: _clean(key, value) for key, value in event.items() if key not in meta}
    event.clear()
    event.update(cleaned, **meta)
    if failure:
        event["exception"] = failure
    return event


def _clean(key: str, value: object) -> object:
    if key.lower().replace("_", "").replace("-", "") in _PERSONAL:
        return REDACTED
    if isinstance(value, Mapping):
        return {str(inner): _clean(str(inner), each) for inner, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean("", each) for each in value]
    plain = value.value if isinstance(value, Enum) else value
    if plain is None or isinstance(plain, (bool, int, float)):
        return plain  # An int is never a card: our models hold those as text.
    if key in _ENGINE_KEYS and isinstance(plain, str) and plain.isdecimal():
        return plain
    return _scrub(str(plain)) if isinstance(plain, (str, PurePath)) else f"<{type(value).__name__}>"


def _scrub(text: str) -> str:
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


def _named(service: str) -> Processor:
    def processor(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401
        event["service"] = service
        return event

    return processor
