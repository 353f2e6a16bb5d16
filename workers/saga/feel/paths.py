"""Names and paths: `order`, `order.items`, `order.items.price`, `now().year`."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from .scope import MISSING, Run, Scope
from .temporal import SECOND, Date, DateTime, DayTimeDuration, Time, YearMonthDuration
from .values import from_json

Closure = Callable[[Scope], Any]


def variable(name: str) -> Closure:
    """Compile a name."""

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        value = scope.lookup(name)
        return None if value is MISSING else value

    return evaluate


def variable_path(name: str, keys: tuple[str, ...]) -> Closure:
    """Compile a path that begins with a variable. Only its end is converted, not the whole variable."""
    cache_key = ".".join((name, *keys)) + "."

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        run = scope.run
        while scope.parent is not None:
            if name in scope.names:
                return walk(run, scope.names[name], keys)
            scope = scope.parent
        seen = run.seen
        if seen is not None and cache_key in seen:
            return seen[cache_key]
        value = run.raw(name)
        if value is MISSING:
            run.variable(name)
            return None
        for position, key in enumerate(keys):
            if type(value) is not dict or key not in value:
                return walk(run, from_json(value), keys[position:])
            value = value[key]
        kind = type(value)
        if kind is not list and kind is not dict:
            return from_json(value)
        if run.seen is None:
            run.seen = {}
        return run.seen.setdefault(cache_key, from_json(value))

    return evaluate


def value_path(base: Closure, keys: tuple[str, ...]) -> Closure:
    """Compile a path that begins with any expression."""

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        return walk(scope.run, base(scope), keys)

    return evaluate


def walk(run: Run, value: Any, keys: tuple[str, ...]) -> Any:  # noqa: ANN401 - any FEEL value
    """Follow the keys. What is missing is null, with one warning for the first key that is."""
    for key in keys:
        value = _entry(run, value, key)
        if value is MISSING:
            return None
    return value


def _entry(run: Run, value: Any, key: str) -> Any:  # noqa: ANN401 - any FEEL value
    if isinstance(value, dict):
        if key in value:
            return value[key]
        known = ", ".join(f"'{name}'" for name in list(value)[:20])
        run.warn("NO_CONTEXT_ENTRY_FOUND", f"No context entry found with key '{key}'. Available keys: {known}")
        return MISSING
    if isinstance(value, list):
        run.spend(len(value))
        found = (_entry(run, item, key) for item in value)
        return [None if item is MISSING else item for item in found]
    if value is None:
        run.warn("NO_CONTEXT_ENTRY_FOUND", f"No context entry found with key '{key}'. The context is null")
        return MISSING
    properties = _PROPERTIES.get(type(value), {})
    if key in properties:
        number = properties[key](value)
        return Decimal(number) if isinstance(number, int) else number
    known = ",".join(properties)
    run.warn(
        "NO_PROPERTY_FOUND",
        f"No property found with name '{key}' of value '{run.quote(value)}'. Available properties: {known}",
    )
    return MISSING


def _offset(value: Time | DateTime) -> DayTimeDuration | None:
    return None if value.offset is None else DayTimeDuration(value.offset * SECOND)


def _part(duration: DayTimeDuration, unit: int, modulus: int) -> int:
    amount = abs(duration.seconds()) // unit
    amount = amount % modulus if modulus else amount
    return -amount if duration.microseconds < 0 else amount


def _months(duration: YearMonthDuration, *, years: bool) -> int:
    amount = abs(duration.months) // 12 if years else abs(duration.months) % 12
    return -amount if duration.months < 0 else amount


def _date_part(name: str) -> Callable[[Any], int]:
    def read(value: Date | DateTime) -> int:
        return int(getattr(value.local if isinstance(value, DateTime) else value.day, name))

    return read


def _clock_part(name: str) -> Callable[[Any], int]:
    def read(value: Time | DateTime) -> int:
        return int(getattr(value.local if isinstance(value, DateTime) else value.clock, name))

    return read


def _weekday(value: Date | DateTime) -> int:
    return (value.local if isinstance(value, DateTime) else value.day).isoweekday()


_OF_DATE: dict[str, Callable[[Any], Any]] = {
    "year": _date_part("year"),
    "month": _date_part("month"),
    "day": _date_part("day"),
    "weekday": _weekday,
}
_OF_TIME: dict[str, Callable[[Any], Any]] = {
    "hour": _clock_part("hour"),
    "minute": _clock_part("minute"),
    "second": _clock_part("second"),
    "time offset": _offset,
    "timezone": lambda value: value.zone,
}
_PROPERTIES: dict[type, dict[str, Callable[[Any], Any]]] = {
    Date: _OF_DATE,
    Time: _OF_TIME,
    DateTime: _OF_DATE | _OF_TIME,
    DayTimeDuration: {
        "days": lambda value: _part(value, 86_400, 0),
        "hours": lambda value: _part(value, 3_600, 24),
        "minutes": lambda value: _part(value, 60, 60),
        "seconds": lambda value: _part(value, 1, 60),
    },
    YearMonthDuration: {
        "years": lambda value: _months(value, years=True),
        "months": lambda value: _months(value, years=False),
    },
}


def day_of(value: Date | DateTime) -> datetime:
    """Give the midnight of a date, or the local time of a date and time."""
    return value.local if isinstance(value, DateTime) else datetime(value.day.year, value.day.month, value.day.day)  # noqa: DTZ001 - FEEL's local time
