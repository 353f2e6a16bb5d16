"""Closures for filters, `for`, `some` and `every`."""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from .numbers import CONTEXT, to_int
from .scope import MAX_STEPS, Failure, Run, Scope

Closure = Callable[[Scope], Any]


class Iteration(NamedTuple):
    """One `name in ...` of a loop: a list, or a range of numbers where there is an end."""

    name: str
    source: Closure
    end: Closure | None


def pick(items: list[Any], index: Decimal) -> Any:  # noqa: ANN401 - any FEEL value
    """Take one item: 1 is the first, -1 the last; null for any other number."""
    position = to_int(index, len(items) + 1)
    if position == 0 or abs(position) > len(items):
        return None
    return items[position - 1 if position > 0 else position]


def _items(run: Run, value: object) -> list[Any] | None:
    if isinstance(value, list):
        return value
    run.warn("INVALID_TYPE", f"Expected list but found '{run.quote(value)}'")
    return None


def index(source: Closure, number: Decimal) -> Closure:
    """Compile `list[1]`."""

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        items = _items(scope.run, source(scope))
        return None if items is None else pick(items, number)

    return evaluate


def item_scope(item: object, scope: Scope) -> Scope:
    """Let a filter see `item` and, before it, the entries of an item that is a context."""
    inner = Scope({"item": item}, scope)
    return Scope(item, inner) if isinstance(item, dict) else inner


def selection(source: Closure, test: Closure, size: int, *, may_be_index: bool) -> Closure:
    """Compile `list[test]`.

    Args:
        source: The list.
        test: What stands in the brackets.
        size: Steps that one test costs.
        may_be_index: The test is evaluated once without an item, because it may give a number.

    """

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        run = scope.run
        items = _items(run, source(scope))
        if items is None:
            return None
        if may_be_index:
            number = test(scope)
            if isinstance(number, Decimal):
                return pick(items, number)
        chosen = []
        for item in items:
            run.spend(size)
            result = test(item_scope(item, scope))
            if result is True:
                chosen.append(item)
            elif isinstance(result, Decimal):
                return pick(items, result)
        return chosen

    return evaluate


class _NoList(Exception):
    """What a loop should go through is not a list; a warning has told so."""


def _numbers(run: Run, start: object, end: object) -> Iterator[Decimal]:
    if not isinstance(start, Decimal) or not isinstance(end, Decimal):
        wrong = end if isinstance(start, Decimal) else start
        run.warn("INVALID_TYPE", f"Expected number but found '{run.quote(wrong)}'")
        raise _NoList
    step = Decimal(1 if start <= end else -1)
    length = to_int(CONTEXT.subtract(end, start).copy_abs(), MAX_STEPS)
    if length > run.steps:
        message = f"a range with more than {run.steps} numbers"
        raise Failure(message)
    for _ in range(length + 1):
        yield start
        start = CONTEXT.add(start, step)


def _values(scope: Scope, iteration: Iteration) -> Iterable[Any]:
    source = iteration.source(scope)
    if iteration.end is not None:
        return _numbers(scope.run, source, iteration.end(scope))
    items = _items(scope.run, source)
    if items is None:
        raise _NoList
    return items


def _walk(scope: Scope, iterations: tuple[Iteration, ...], size: int) -> Iterator[None]:
    """Set the names of all combinations in the scope, one after the other."""
    name = iterations[0].name
    for value in _values(scope, iterations[0]):
        scope.run.spend(size)
        scope.names[name] = value
        if len(iterations) == 1:
            yield
        else:
            yield from _walk(scope, iterations[1:], size)
    scope.names.pop(name, None)  # the next round of a loop around this one must not see it


def loop(iterations: tuple[Iteration, ...], body: Closure, size: int, *, partial: bool) -> Closure:
    """Compile `for`.

    Args:
        iterations: What to go through, the last one fastest.
        body: What to return for each combination.
        size: Steps that one combination costs.
        partial: The body asks for the results so far.

    """

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        results: list[Any] = []
        inner = Scope({}, scope)
        try:
            for _ in _walk(inner, iterations, size):
                if partial:
                    inner.names["partial"] = list(results)
                    scope.run.charge(results)
                results.append(body(inner))
        except _NoList:
            return None
        return results

    return evaluate


def quantified(iterations: tuple[Iteration, ...], test: Closure, size: int, *, decisive: bool) -> Closure:
    """Compile `some` (decisive: true) or `every` (decisive: false), with three values."""

    def evaluate(scope: Scope) -> bool | None:
        unknown = False
        inner = Scope({}, scope)
        try:
            for _ in _walk(inner, iterations, size):
                value: object = test(inner)
                if value is decisive:
                    return decisive
                if not isinstance(value, bool):
                    unknown = True
                    run = scope.run
                    run.warn("INVALID_TYPE", f"Expected boolean but found '{run.quote(value)}'")
        except _NoList:
            return None
        return None if unknown else not decisive

    return evaluate
