"""Functions on numbers."""

# ruff: noqa: TID252 - relative, so that one rename moves the package

import math
from collections.abc import Callable
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Decimal,
)
from typing import Any

from ..arithmetic import floor_modulo
from ..numbers import ZERO, rescale, to_int
from ..scope import Failure, Invalid, Run
from ..temporal import DayTimeDuration, YearMonthDuration
from .base import NUMBER, STRING, Builtin, builtin

_SCALE = 4_000
"""Digits behind the point that can be asked for."""
_MODES = {
    "up": ROUND_UP,
    "down": ROUND_DOWN,
    "ceiling": ROUND_CEILING,
    "floor": ROUND_FLOOR,
    "half_up": ROUND_HALF_UP,
    "half_down": ROUND_HALF_DOWN,
    "half_even": ROUND_HALF_EVEN,
}


def _rounding(mode: str) -> Callable[..., Decimal]:
    def call(_run: Run, number: Decimal, scale: Decimal = ZERO) -> Decimal:
        digits = to_int(scale, _SCALE + 1)
        if abs(digits) > _SCALE:
            message = f"expected a scale of at most {_SCALE} digits"
            raise Failure(message)
        return rescale(number, digits, mode)

    return call


_half_even = _rounding(ROUND_HALF_EVEN)


def decimal(run: Run, number: Decimal, scale: Decimal, mode: str) -> Decimal:
    """Round to a scale by a named mode."""
    name = mode.lower()
    if name == "unnecessary":
        rounded = _half_even(run, number, scale)
        if rounded != number:
            message = "Rounding necessary"
            raise Failure(message)
        return rounded
    if name not in _MODES:
        message = f"Illegal argument '{mode[:50]}' for rounding mode"
        raise Invalid(message)
    return _rounding(_MODES[name])(run, number, scale)


def absolute(_run: Run, value: Any) -> Any:  # noqa: ANN401 - a number or a duration
    """Give the value without its sign."""
    if isinstance(value, DayTimeDuration):
        return DayTimeDuration(abs(value.microseconds))
    if isinstance(value, YearMonthDuration):
        return YearMonthDuration(abs(value.months))
    return value.copy_abs()


def _double(function: Callable[[float], float]) -> Callable[[Run, Decimal], Decimal | None]:
    """Compute with doubles; null where the result is not a number."""

    def call(_run: Run, number: Decimal) -> Decimal | None:
        try:
            result = function(float(number))
        except (ValueError, OverflowError):
            return None
        return Decimal(repr(result)) if math.isfinite(result) else None

    return call


def _remainder(_run: Run, dividend: Decimal, divisor: Decimal) -> Decimal:
    if not divisor:
        message = "Division by zero"
        raise Failure(message)
    return floor_modulo(dividend, divisor)


def _parity(remainder: int) -> Callable[[Run, Decimal], bool]:
    return lambda _run, number: floor_modulo(number, Decimal(2)) == remainder


_EITHER_DURATION = (Decimal, DayTimeDuration, YearMonthDuration)
FUNCTIONS: tuple[Builtin, ...] = (
    builtin("decimal", _half_even, n=NUMBER, scale=NUMBER),
    builtin("decimal", decimal, n=NUMBER, scale=NUMBER, mode=STRING),
    builtin("floor", _rounding(ROUND_FLOOR), n=NUMBER),
    builtin("floor", _rounding(ROUND_FLOOR), n=NUMBER, scale=NUMBER),
    builtin("ceiling", _rounding(ROUND_CEILING), n=NUMBER),
    builtin("ceiling", _rounding(ROUND_CEILING), n=NUMBER, scale=NUMBER),
    builtin("round up", _rounding(ROUND_UP), n=NUMBER, scale=NUMBER),
    builtin("round down", _rounding(ROUND_DOWN), n=NUMBER, scale=NUMBER),
    builtin("round half up", _rounding(ROUND_HALF_UP), n=NUMBER, scale=NUMBER),
    builtin("round half down", _rounding(ROUND_HALF_DOWN), n=NUMBER, scale=NUMBER),
    builtin("abs", absolute, number=_EITHER_DURATION),
    builtin("abs", absolute, n=_EITHER_DURATION),
    builtin("modulo", _remainder, dividend=NUMBER, divisor=NUMBER),
    builtin("sqrt", _double(math.sqrt), number=NUMBER),
    builtin("log", _double(math.log), number=NUMBER),
    builtin("exp", _double(math.exp), number=NUMBER),
    builtin("odd", _parity(1), number=NUMBER),
    builtin("even", _parity(0), number=NUMBER),
    builtin("random number", lambda run: Decimal(repr(run.random().random()))),
)
