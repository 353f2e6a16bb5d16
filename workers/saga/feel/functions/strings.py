"""Functions on texts. Positions and lengths count UTF-16 units, as in Java."""

# ruff: noqa: TID252 - relative, so that one rename moves the package

import base64
import binascii
import uuid
from decimal import Decimal

from ..numbers import to_int
from ..scope import Failure, Invalid, Run
from .base import LIST, NUMBER, STRING, Builtin, builtin

_FAR = 1 << 31
_BASIC_PLANE = "\uffff"


def _units(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def _length(text: str) -> int:
    return len(text) if text.isascii() or max(text) <= _BASIC_PLANE else len(_units(text)) // 2


def _slice(text: str, begin: int, end: int) -> str:
    if _length(text) == len(text):
        return text[begin:end]
    return _units(text)[2 * begin : 2 * end].decode("utf-16-le", "surrogatepass")


def substring(_run: Run, text: str, start: Decimal, length: Decimal | None = None) -> str:
    """Cut out a part; a position outside the text fails the evaluation, as in Camunda."""
    size, position = _length(text), to_int(start, _FAR)
    begin = position - 1 if position > 0 else size + position
    end = size if length is None else min(begin + to_int(length, _FAR), size)
    if begin < 0 or begin > end:
        message = f"begin {begin}, end {end}, length {size}"
        raise Failure(message)
    return _slice(text, begin, end)


def substring_before(_run: Run, text: str, match: str) -> str:
    """Give what is in front of the first match; an empty text without one."""
    return text.partition(match)[0] if match and match in text else ""


def substring_after(_run: Run, text: str, match: str) -> str:
    """Give what is behind the first match; an empty text without one."""
    return text.partition(match)[2] if match else text


def trim(_run: Run, text: str) -> str:
    """Cut blanks and control characters off both ends."""
    return text.strip("".join(map(chr, range(33))))


def make_uuid(run: Run) -> str:
    """Make a random UUID from the seed."""
    return str(uuid.UUID(int=run.random().getrandbits(128), version=4))


def to_base64(_run: Run, text: str) -> str:
    """Encode the UTF-8 of a text."""
    return base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")


def from_base64(_run: Run, text: str) -> str:
    """Decode a text of UTF-8."""
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        message = f"Can't decode '{text[:100]}' as Base64"
        raise Invalid(message) from error


def join(_run: Run, items: list[object], delimiter: str | None = "", prefix: str = "", suffix: str = "") -> str:
    """Put texts together; nulls are left out."""
    texts = [item for item in items if item is not None]
    if not all(isinstance(item, str) for item in texts):
        raise Invalid
    total = sum(len(str(text)) + len(delimiter or "") for text in texts)
    _run.charge_text(total)
    return prefix + (delimiter or "").join(map(str, texts)) + suffix


FUNCTIONS: tuple[Builtin, ...] = (
    builtin("substring", substring, string=STRING, start_position=NUMBER),
    builtin("substring", substring, string=STRING, start_position=NUMBER, length=NUMBER),
    builtin("string length", lambda _run, text: Decimal(_length(text)), string=STRING),
    builtin("upper case", lambda _run, text: text.upper(), string=STRING),
    builtin("lower case", lambda _run, text: text.lower(), string=STRING),
    builtin("substring before", substring_before, string=STRING, match=STRING),
    builtin("substring after", substring_after, string=STRING, match=STRING),
    builtin("contains", lambda _run, text, match: match in text, string=STRING, match=STRING),
    builtin("starts with", lambda _run, text, match: text.startswith(match), string=STRING, match=STRING),
    builtin("ends with", lambda _run, text, match: text.endswith(match), string=STRING, match=STRING),
    builtin("trim", trim, string=STRING),
    builtin("is blank", lambda _run, text: not text.strip(), string=STRING),
    builtin("uuid", make_uuid),
    builtin("to base64", to_base64, value=STRING),
    builtin("from base64", from_base64, value=STRING),
    builtin("string join", join, list=LIST),
    builtin("string join", join, list=LIST, delimiter=(str, type(None))),
    builtin("string join", join, list=LIST, delimiter=(str, type(None)), prefix=STRING, suffix=STRING),
)
