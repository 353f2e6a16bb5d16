"""Functions that make one value of a list: sums, extremes, means and logic."""

# ruff: noqa: TID252 - relative, so that one rename moves the package

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ..numbers import CONTEXT, ZERO
from ..scope import Invalid, Run
from ..values import compare
from .base import LIST, Builtin, variadic

List = list[Any]


def _numbers(run: Run, items: List) -> list[Decimal]:
    for item in items:
        if not isinstance(item, Decimal):
            message = f"expected number but found '{run.quote(item)}'"
            raise Invalid(message)
    run.spend(len(items) >> 3)
    return items


def _extreme(sign: int) -> Callable[[Run, List], Any]:
    def best(run: Run, items: List) -> Any:  # noqa: ANN401 - any FEEL value
        if not items:
            return None
        run.spend(len(items) >> 1)
        found = items[0]
        for item in items:
            order = compare(item, found)
            if order is None:
                message = f"Can't compare '{run.quote(item)}' with '{run.quote(found)}'"
                raise Invalid(message)
            if order * sign > 0:
                found = item
        return found

    return best


def _sum(numbers: list[Decimal]) -> Decimal:
    total = ZERO
    for number in numbers:
        total = CONTEXT.add(total, number)
    return total


def total(run: Run, items: List) -> Decimal | None:
    """Add all numbers; null for none."""
    return _sum(_numbers(run, items)) if items else None


def product(run: Run, items: List) -> Decimal | None:
    """Multiply all numbers; null for none."""
    result = Decimal(1)
    for number in _numbers(run, items):
        result = CONTEXT.multiply(result, number)
    return result if items else None


def _mean(numbers: list[Decimal]) -> Decimal:
    return CONTEXT.divide(_sum(numbers), Decimal(len(numbers)))


def mean(run: Run, items: List) -> Decimal | None:
    """Give the arithmetic mean; null for no numbers."""
    return _mean(_numbers(run, items)) if items else None


def median(run: Run, items: List) -> Decimal | None:
    """Give the number in the middle, or the mean of the two there; null for none."""
    numbers = sorted(_numbers(run, items))
    if not numbers:
        return None
    half = len(numbers) // 2
    return numbers[half] if len(numbers) % 2 else _mean(numbers[half - 1 : half + 1])


def stddev(run: Run, items: List) -> Decimal | None:
    """Give the standard deviation of a sample; null for fewer than two numbers."""
    numbers = _numbers(run, items)
    if len(numbers) < 2:  # noqa: PLR2004 - one number does not deviate
        return None
    middle = _mean(numbers)
    squares = [CONTEXT.power(CONTEXT.subtract(number, middle), 2) for number in numbers]
    variance = CONTEXT.divide(_sum(squares), Decimal(len(numbers) - 1))
    return Decimal(repr(float(variance) ** 0.5))


def mode(run: Run, items: List) -> list[Decimal]:
    """Give the most frequent numbers, in order."""
    counts: dict[Decimal, int] = {}
    for number in _numbers(run, items):
        counts[number] = counts.get(number, 0) + 1
    most = max(counts.values(), default=0)
    return sorted(number for number, count in counts.items() if count == most)


def _logic(*, decisive: bool) -> Callable[[Run, list[object]], bool | None]:
    def decide(run: Run, items: list[object]) -> bool | None:
        unknown = False
        for item in items:
            if item is decisive:
                return decisive
            if item is not None and not isinstance(item, bool):
                message = f"expected boolean but found '{run.quote(item)}'"
                raise Invalid(message)
            unknown = unknown or item is None
        return None if unknown else not decisive

    return decide


FUNCTIONS: tuple[Builtin, ...] = tuple(
    variadic(name, call, spread=True, list=LIST)
    for name, call in (
        ("min", _extreme(-1)),
        ("max", _extreme(1)),
        ("sum", total),
        ("product", product),
        ("mean", mean),
        ("median", median),
        ("stddev", stddev),
        ("mode", mode),
        ("all", _logic(decisive=False)),
        ("and", _logic(decisive=False)),
        ("any", _logic(decisive=True)),
        ("or", _logic(decisive=True)),
    )
)
