"""FEEL's numbers: decimals of 34 digits, rounded half to even, with the scale kept as Java's BigDecimal keeps it."""

import math
from decimal import (
    ROUND_DOWN,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)

CONTEXT = Context(
    prec=34,
    rounding=ROUND_HALF_EVEN,
    Emin=-999_999_999,
    Emax=999_999_999,
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
"""The context of every operation. The thread's own context is never read nor changed."""

EXACT = Context(prec=5_000, Emin=-999_999_999, Emax=999_999_999, traps=[InvalidOperation])
"""For rounding to a scale, which must not lose digits in front of the point."""

ZERO = Decimal(0)
_LOW_64 = (1 << 64) - 1
_SIGN_BIT = 1 << 63
_PLAIN_FROM, _PLAIN_TO = 1e-3, 1e7


def from_float(value: float) -> Decimal | None:
    """Read a double as Java does, by the digits of Double.toString; None for NaN and infinity."""
    if not math.isfinite(value):
        return None
    if value == 0 or _PLAIN_FROM <= abs(value) < _PLAIN_TO:
        return Decimal(repr(value))
    sign, digits, exponent = CONTEXT.normalize(Decimal(repr(value))).as_tuple()
    if len(digits) == 1:  # Java writes at least one digit after the point: 1.0E21
        return Decimal((sign, (*digits, 0), int(exponent) - 1))
    return Decimal((sign, digits, int(exponent)))


def number_text(value: Decimal) -> str:
    """Write a number as `string()` does. There is no negative zero."""
    return str(value or value.copy_abs())


def is_whole(value: Decimal) -> bool:
    """Tell whether the number has no fraction."""
    return value == value.to_integral_value(rounding=ROUND_DOWN, context=CONTEXT)


def to_variable(value: Decimal) -> int | float:
    """Turn a number into what Zeebe stores: whole numbers in 64 bits (they wrap beyond), others as double."""
    if not is_whole(value):
        return float(value)
    if int(value.as_tuple().exponent) >= 64:  # noqa: PLR2004 - 10**64 is a multiple of 2**64
        return 0
    number = int(value)
    if -_SIGN_BIT <= number < _SIGN_BIT:
        return number
    return ((number + _SIGN_BIT) & _LOW_64) - _SIGN_BIT


def to_int(value: Decimal, limit: int) -> int:
    """Drop the fraction and clamp to ±limit, so that a huge exponent costs nothing."""
    if value >= limit:
        return limit
    if value <= -limit:
        return -limit
    return int(value)


def rescale(value: Decimal, scale: int, rounding: str) -> Decimal:
    """Round to `scale` digits after the point. A number with fewer digits stays equal to itself."""
    exponent = int(value.as_tuple().exponent)
    if exponent >= -scale:
        return value
    return value.quantize(Decimal((0, (1,), -scale)), rounding=rounding, context=EXACT)
