"""Functions on any value, and those that Zeebe adds to the language."""

# ruff: noqa: TID252 - relative, so that one rename moves the package

from decimal import Decimal
from typing import Any

from ..numbers import to_int
from ..scope import AssertionFailure, Invalid, Run
from ..temporal import DayTimeDuration, YearMonthDuration
from .base import ANY, Builtin, builtin

_REPETITIONS = 1 << 31


def _not(_run: Run, value: object) -> bool | None:
    return not value if isinstance(value, bool) else None


def _assert(run: Run, value: Any, condition: object, cause: str = "The condition is not fulfilled") -> Any:  # noqa: ANN401 - any FEEL value
    if condition is True:
        return value
    run.warn("ASSERT_FAILURE", cause)
    raise AssertionFailure(cause)


def _cycle(run: Run, *arguments: Any) -> str:  # noqa: ANN401 - see the signatures
    """Write a repeating interval of ISO 8601: R3/PT1H, or R/PT1H without an end."""
    *repetitions, interval = arguments
    count = repetitions[0] if repetitions else None
    if count is not None and count < 0:
        message = f"'repetitions' should not be negative but was '{run.quote(count)}'"
        raise Invalid(message)
    return f"R{'' if count is None else to_int(count, _REPETITIONS)}/{interval}"


def _from_ai(_run: Run, value: Any, *_description: object) -> Any:  # noqa: ANN401 - any FEEL value
    return value


_DURATION = (DayTimeDuration, YearMonthDuration)
_AI = ("value", "description", "type", "schema", "options")
FUNCTIONS: tuple[Builtin, ...] = (
    builtin("not", _not, negand=ANY),
    builtin("is defined", lambda _run, value: value is not None, value=ANY),
    builtin("get or else", lambda _run, value, default: default if value is None else value, value=ANY, default=ANY),
    builtin("assert", _assert, value=ANY, condition=ANY),
    builtin("assert", _assert, value=ANY, condition=ANY, cause=(str,)),
    builtin("cycle", _cycle, interval=_DURATION),
    builtin("cycle", _cycle, repetitions=(Decimal, type(None)), interval=_DURATION),
    *(builtin("fromAi", _from_ai, **dict.fromkeys(_AI[:count], ANY)) for count in range(1, 6)),
)
