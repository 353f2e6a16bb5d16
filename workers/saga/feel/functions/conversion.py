"""Functions that make values of other types, JSON among them."""

# ruff: noqa: TID252 - relative, so that one rename moves the package

import json
import re
from decimal import Decimal, DecimalException
from typing import Any

from ..numbers import number_text, to_int
from ..scope import MAX_TEXT, Invalid, Run
from ..temporal import (
    Date,
    DateTime,
    DayTimeDuration,
    Time,
    YearMonthDuration,
    combine,
    make_date,
    parse_date,
    parse_date_time,
    parse_duration,
    parse_offset,
    parse_time,
)
from ..values import Function, Range, check_size, from_json, text_of
from ..zones import load_zone
from .base import ANY, NUMBER, STRING, Builtin, builtin

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,8})?", re.ASCII)
_FAR = 1 << 31
_MAX_OFFSET = 18 * 3_600
_MAX_NODES = 1_000_000


def string(_run: Run, value: object) -> str | None:
    """Write a value as text; null stays null."""
    if value is None or isinstance(value, str):
        return value
    return text_of(value, MAX_TEXT)


def number(run: Run, text: str, grouping: str | None = None, point: str | None = None) -> Decimal:
    """Read a number, without the grouping separators and with this decimal separator."""
    plain = text.replace(grouping, "") if grouping else text
    plain = plain.replace(point, ".") if point else plain
    if not _NUMBER.fullmatch(plain):
        message = f"Can't parse '{run.quote(text)[1:-1]}' as a number"
        raise Invalid(message)
    try:
        return Decimal(plain)
    except DecimalException as error:
        raise Invalid from error


def _date(_run: Run, value: str | Date | DateTime) -> Date | None:
    if isinstance(value, DateTime):
        return Date(value.local.date())
    return value if isinstance(value, Date) else parse_date(value)


def _date_of_parts(_run: Run, year: Decimal, month: Decimal, day: Decimal) -> Date | None:
    return make_date(to_int(year, _FAR), to_int(month, _FAR), to_int(day, _FAR))


def _time(_run: Run, value: str | Time | DateTime) -> Time | None:
    if isinstance(value, DateTime):
        return Time(value.local.time(), value.offset, value.zone)
    return value if isinstance(value, Time) else parse_time(value)


def _time_of_parts(
    _run: Run, hour: Decimal, minute: Decimal, second: Decimal, offset: DayTimeDuration | None = None
) -> Time | None:
    parts = [to_int(part, 99) for part in (hour, minute, second)]
    if any(part < 0 for part in parts):
        return None
    found = parse_time(":".join(f"{part:02d}" for part in parts))
    if found is None or offset is None:
        return found
    if abs(offset.seconds()) > _MAX_OFFSET:
        raise Invalid
    return Time(found.clock, offset.seconds())


def _date_time(_run: Run, value: str | DateTime) -> DateTime | None:
    return value if isinstance(value, DateTime) else parse_date_time(value)


def _combined(run: Run, day: Date | DateTime, other: Time | str) -> DateTime | None:
    """Put a date and a time together, or give a date and time in another zone."""
    if isinstance(other, Time):
        return combine(Date(day.local.date()) if isinstance(day, DateTime) else day, other)
    if not isinstance(day, DateTime):
        raise Invalid
    offset = parse_offset(other)
    if offset is None and load_zone(other) is None:
        raise Invalid
    known = run.at_own_zone(day.local) if day.offset is None else day
    return known.in_zone(offset, other if offset is None else None)


def _years_and_months(_run: Run, start: Date, end: Date) -> YearMonthDuration:
    months = (end.day.year - start.day.year) * 12 + end.day.month - start.day.month
    days = end.day.day - start.day.day
    if months > 0 > days:
        months -= 1
    elif months < 0 < days:
        months += 1
    return YearMonthDuration(months)


def _from_json(run: Run, text: str) -> Any:  # noqa: ANN401 - any FEEL value
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        message = f"Failed to parse JSON from '{run.quote(text)[1:-1]}'"
        raise Invalid(message) from error
    return from_json(value)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def to_json_text(run: Run, value: object) -> str:
    """Write a value as JSON."""
    check_size(value, _MAX_NODES)
    parts: list[str] = []
    _write_json(run, value, parts)
    return "".join(parts)


def _write_json(run: Run, value: object, parts: list[str]) -> None:
    run.spend(1)
    if isinstance(value, dict):
        opening = "{"
        for key, item in value.items():
            parts.append(f"{opening}{json.dumps(key, ensure_ascii=False)}:")
            _write_json(run, item, parts)
            opening = ","
        parts.append("}" if value else "{}")
    elif isinstance(value, list):
        opening = "["
        for item in value:
            parts.append(opening)
            _write_json(run, item, parts)
            opening = ","
        parts.append("]" if value else "[]")
    elif isinstance(value, Decimal):
        parts.append(number_text(value))
    elif isinstance(value, DateTime):
        parts.append(json.dumps(value.iso_with_zone()))
    elif value is None or isinstance(value, bool | str):
        parts.append(json.dumps(value, ensure_ascii=False))
    else:
        parts.append("null" if isinstance(value, Range | Function) else json.dumps(str(value)))


_SEPARATOR = (str, type(None))
_OFFSET = (DayTimeDuration, type(None))
_DAY = (Date, DateTime)
FUNCTIONS: tuple[Builtin, ...] = (
    builtin("string", string, **{"from": ANY}),
    builtin("number", number, **{"from": STRING}),
    builtin("number", number, **{"from": STRING, "grouping_separator": _SEPARATOR}),
    builtin("number", number, **{"from": STRING, "grouping_separator": _SEPARATOR, "decimal_separator": _SEPARATOR}),
    builtin("date", _date, **{"from": (str, Date, DateTime)}),
    builtin("date", _date_of_parts, year=NUMBER, month=NUMBER, day=NUMBER),
    builtin("time", _time, **{"from": (str, Time, DateTime)}),
    builtin("time", _time_of_parts, hour=NUMBER, minute=NUMBER, second=NUMBER),
    builtin("time", _time_of_parts, hour=NUMBER, minute=NUMBER, second=NUMBER, offset=_OFFSET),
    builtin("date and time", _date_time, **{"from": (str, DateTime)}),
    builtin("date and time", _combined, date=_DAY, time=(Time, str)),
    builtin("date and time", _combined, date=_DAY, timezone=(Time, str)),
    builtin("duration", lambda _run, text: parse_duration(text), **{"from": STRING}),
    builtin("years and months duration", _years_and_months, **{"from": (Date,), "to": (Date,)}),
    builtin("from json", _from_json, value=STRING),
    builtin("to json", to_json_text, value=ANY),
)
