"""FEEL's arithmetic on numbers, texts, temporal values and durations."""

import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from .numbers import CONTEXT, is_whole, to_int
from .scope import Run
from .temporal import SECOND, Date, DateTime, DayTimeDuration, Time, YearMonthDuration, make_date

_DAY = 86_400 * SECOND
_FACTOR = 1 << 63
"""Durations are multiplied by whole numbers, as Java's are; this one is already an overflow."""
Operation = Callable[[Run, Any, Any], Any]


def add(run: Run, left: Any, right: Any) -> Any:  # noqa: ANN401 - any FEEL value
    """Add; null and a warning where the types do not allow it."""
    kind = type(left)
    if kind is type(right):
        if kind is Decimal:
            return CONTEXT.add(left, right)
        if kind is str:
            text = left + right
            run.charge(text)
            return text
        if kind is DayTimeDuration:
            return DayTimeDuration(left.microseconds + right.microseconds)
        if kind is YearMonthDuration:
            return YearMonthDuration(left.months + right.months)
    duration_first = isinstance(left, DayTimeDuration | YearMonthDuration)
    moved = move(right, left, 1) if duration_first else move(left, right, 1)
    if moved is None:
        run.warn("INVALID_TYPE", f"Can't add '{run.quote(right)}' to '{run.quote(left)}'")
    return moved


def subtract(run: Run, left: Any, right: Any) -> Any:  # noqa: ANN401 - any FEEL value
    """Subtract; null and a warning where the types do not allow it."""
    kind = type(left)
    if kind is type(right):
        if kind is Decimal:
            return CONTEXT.subtract(left, right)
        if kind is DayTimeDuration:
            return DayTimeDuration(left.microseconds - right.microseconds)
        if kind is YearMonthDuration:
            return YearMonthDuration(left.months - right.months)
        result = _difference(left, right)
    else:
        result = move(left, right, -1)
    if result is None:
        run.warn("INVALID_TYPE", f"Can't subtract '{run.quote(right)}' from '{run.quote(left)}'")
    return result


def multiply(run: Run, left: Any, right: Any) -> Any:  # noqa: ANN401 - any FEEL value
    """Multiply; null and a warning where the types do not allow it."""
    if isinstance(left, Decimal):
        if isinstance(right, Decimal):
            return CONTEXT.multiply(left, right)
        left, right = right, left
    if isinstance(right, Decimal):
        if isinstance(left, DayTimeDuration):
            return DayTimeDuration(left.microseconds * to_int(right, _FACTOR))
        if isinstance(left, YearMonthDuration):
            return YearMonthDuration(left.months * to_int(right, _FACTOR))
    run.warn("INVALID_TYPE", f"Can't multiply '{run.quote(left)}' by '{run.quote(right)}'")
    return None


def divide(run: Run, left: Any, right: Any) -> Any:  # noqa: ANN401 - any FEEL value
    """Divide; null and a warning for a division by zero and where the types do not allow it."""
    if isinstance(right, Decimal):
        if isinstance(left, Decimal) and right:
            return CONTEXT.divide(left, right)
        divisor = to_int(right, _FACTOR)
        if divisor and isinstance(left, DayTimeDuration):
            return DayTimeDuration(left.microseconds // divisor)
        if right and isinstance(left, YearMonthDuration):
            return YearMonthDuration(to_int(CONTEXT.divide(Decimal(left.months), right), _FACTOR))
    elif type(left) is type(right):
        if isinstance(left, DayTimeDuration) and right.microseconds:
            return CONTEXT.divide(Decimal(left.microseconds), Decimal(right.microseconds))
        if isinstance(left, YearMonthDuration) and right.months:
            return CONTEXT.divide(Decimal(left.months), Decimal(right.months))
    run.warn("INVALID_TYPE", f"Can't divide '{run.quote(left)}' by '{run.quote(right)}'")
    return None


def power(run: Run, left: Any, right: Any) -> Any:  # noqa: ANN401 - any FEEL value
    """Raise to a power: exactly by a whole number, as doubles otherwise."""
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        if not right:
            return Decimal(1)
        if is_whole(right):
            return CONTEXT.power(left, right) if left or right > 0 else None
        result = float(left) ** float(right)
        return Decimal(repr(result)) if isinstance(result, float) and math.isfinite(result) else None
    run.warn("INVALID_TYPE", f"Can't raise '{run.quote(left)}' to the power of '{run.quote(right)}'")
    return None


def negate(run: Run, value: Any) -> Any:  # noqa: ANN401 - any FEEL value
    """Negate a number; null and a warning for anything else."""
    if isinstance(value, Decimal):
        return value.copy_negate() if value else value
    run.warn("INVALID_TYPE", f"Expected number but found '{run.quote(value)}'")
    return None


def move(value: Any, duration: Any, sign: int) -> Any:  # noqa: ANN401 - any FEEL value
    """Move a date, time or date and time by a duration; None where that is not defined."""
    if isinstance(duration, DayTimeDuration):
        delta = timedelta(microseconds=sign * duration.microseconds)
        if isinstance(value, Date):
            return Date((datetime.combine(value.day, time()) + delta).date())
        if isinstance(value, Time):
            clock = datetime.combine(date(2000, 1, 1), value.clock) + timedelta(microseconds=_within_day(delta))
            return Time(clock.time(), value.offset, value.zone)
        if isinstance(value, DateTime):
            moved = DateTime(value.local + delta, value.offset, value.zone)
            return moved.in_zone(value.offset, value.zone) if value.zone is not None else moved
    elif isinstance(duration, YearMonthDuration):
        if isinstance(value, Date):
            return Date(_add_months(value.day, sign * duration.months))
        if isinstance(value, DateTime):
            day = _add_months(value.local.date(), sign * duration.months)
            return value.at(datetime.combine(day, value.local.time()))
    return None


def _within_day(delta: timedelta) -> int:
    return delta // timedelta(microseconds=1) % _DAY


def _add_months(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in range(day.day, day.day - 4, -1):  # the 31st becomes the last day of a shorter month
        if found := make_date(year, month + 1, last):
            return found.day
    message = "date out of range"
    raise OverflowError(message)


def _difference(left: Any, right: Any) -> DayTimeDuration | None:  # noqa: ANN401 - any FEEL value
    if isinstance(left, Date):
        return DayTimeDuration((left.day - right.day).days * _DAY)
    if isinstance(left, DateTime | Time) and (left.offset is None) == (right.offset is None):
        if isinstance(left, Time):
            return DayTimeDuration(left.microseconds() - right.microseconds())
        return DayTimeDuration((left.instant() - right.instant()) // timedelta(microseconds=1))
    return None


def floor_modulo(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Give the remainder with the sign of the divisor; raises for a division by zero."""
    quotient = CONTEXT.divide(dividend, divisor).to_integral_value(rounding=ROUND_FLOOR, context=CONTEXT)
    return CONTEXT.subtract(dividend, CONTEXT.multiply(divisor, quotient))
