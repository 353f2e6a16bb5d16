"""Closures for literals, operators and control flow. Each takes the scope and returns a FEEL value."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from .arithmetic import Operation, negate
from .scope import Run, Scope
from .temporal import Date, DateTime, DayTimeDuration, Time, YearMonthDuration
from .values import Function, Range, compare, contains, equal

Closure = Callable[[Scope], Any]

_ORDERS: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}
TYPES: dict[str, tuple[type, ...]] = {
    "number": (Decimal,),
    "string": (str,),
    "boolean": (bool,),
    "date": (Date,),
    "time": (Time,),
    "date and time": (DateTime,),
    "days and time duration": (DayTimeDuration,),
    "years and months duration": (YearMonthDuration,),
    "list": (list,),
    "context": (dict,),
    "function": (Function,),
    "Any": (object,),
}


def constant(value: object) -> Closure:
    """Compile a literal."""
    return lambda _scope: value


def fold(first: Closure, rest: tuple[tuple[Operation, Closure], ...]) -> Closure:
    """Compile a chain of operators of one rank, from left to right."""
    if len(rest) == 1:
        (operation, second) = rest[0]
        return lambda scope: operation(scope.run, first(scope), second(scope))

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        value = first(scope)
        for operation, operand in rest:
            value = operation(scope.run, value, operand(scope))
        return value

    return evaluate


def negation(operand: Closure) -> Closure:
    """Compile a minus sign."""
    return lambda scope: negate(scope.run, operand(scope))


def _not_boolean(run: Run, value: object) -> None:
    run.warn("INVALID_TYPE", f"Expected boolean but found '{run.quote(value)}'")


def logic(operands: tuple[Closure, ...], *, decisive: bool) -> Closure:
    """Compile `and` (decisive: false) or `or` (decisive: true), with three values."""

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        value = operands[0](scope)
        for operand in operands[1:]:
            if value is decisive:
                return value
            sure = value is not None and type(value) is bool
            if not sure:
                _not_boolean(scope.run, value)
            right = operand(scope)
            if right is decisive:
                value = decisive
            elif not sure:
                value = None
            elif type(right) is bool:
                value = right
            else:
                _not_boolean(scope.run, right)
                value = None
        return value

    return evaluate


def equality(left: Closure, right: Closure, *, negated: bool) -> Closure:
    """Compile `=` or `!=`."""

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        run = scope.run
        a, b = left(scope), right(scope)
        same = equal(run, a, b)
        if same is None:
            run.warn("NOT_COMPARABLE", f"Can't compare '{run.quote(a)}' with '{run.quote(b)}'")
            if negated:
                _not_boolean(run, None)
            return None
        return same is not negated

    return evaluate


def comparison(operator: str, left: Closure, right: Closure) -> Closure:
    """Compile `<`, `<=`, `>` or `>=`."""
    holds = _ORDERS[operator]

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        a, b = left(scope), right(scope)
        order = compare(a, b)
        if order is None:
            run = scope.run
            run.warn("NOT_COMPARABLE", f"Can't compare '{run.quote(a)}' with '{run.quote(b)}'")
            return None
        return holds(order)

    return evaluate


def between(operand: Closure, low: Closure, high: Closure) -> Closure:
    """Compile `x between low and high`."""
    return lambda scope: _within(scope.run, operand(scope), Range(low(scope), high(scope), True, True))  # noqa: FBT003 - both ends are closed


def _within(run: Run, value: object, interval: Range) -> bool | None:
    low, high = compare(value, interval.start), compare(value, interval.end)
    if low is None or high is None:
        a, b, c = run.quote(value), run.quote(interval.start), run.quote(interval.end)
        run.warn("NOT_COMPARABLE", f"Can't compare '{a}' with '{b}' and '{c}'")
        return None
    return (low >= 0 if interval.start_closed else low > 0) and (high <= 0 if interval.end_closed else high < 0)


def interval_test(interval: Closure, input_value: Closure) -> Closure:
    """Compile an interval that stands for a test of the input value."""

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        value = input_value(scope)
        if value is None:  # each end of the interval asks for it
            input_value(scope)
        return _within(scope.run, value, interval(scope))

    return evaluate


def interval_value(start: Closure, end: Closure, *, start_closed: bool, end_closed: bool) -> Closure:
    """Compile an interval that is the argument of a function."""
    return lambda scope: Range(start(scope), end(scope), start_closed, end_closed)


def input_test(value: Closure) -> Closure:
    """Compile a test of the input value by a value: equal, contained in it, or true for it."""

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        run, given = scope.run, scope.lookup("?")  # `in` has set it
        wanted = value(scope)
        if wanted is True or (isinstance(wanted, list) and contains(run, wanted, given)):
            return True
        same = equal(run, given, wanted)
        if same is None and wanted is not False:
            run.warn("NOT_COMPARABLE", f"Can't compare '{run.quote(given)}' with '{run.quote(wanted)}'")
        return same is True

    return evaluate


def membership(operand: Closure, tests: tuple[Closure, ...]) -> Closure:
    """Compile `x in (tests)`: true as soon as one test is."""

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        inner = Scope({"?": operand(scope)}, scope)
        unknown = False
        for test in tests:
            result = test(inner)
            if result is True:
                return True
            unknown = unknown or result is None
        return None if unknown else False

    return evaluate


def instance_of(operand: Closure, name: str) -> Closure:
    """Compile `x instance of name`. Null is an instance of nothing, and nothing is of an unknown type."""
    types = TYPES.get(name, ())

    def evaluate(scope: Scope) -> bool:
        value = operand(scope)
        return value is not None and isinstance(value, types)

    return evaluate


def condition(test: Closure, then: Closure, otherwise: Closure) -> Closure:
    """Compile `if`. What is not a boolean counts as false."""

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        value = test(scope)
        if value is True:
            return then(scope)
        if value is not False:
            _not_boolean(scope.run, value)
        return otherwise(scope)

    return evaluate


def list_of(items: tuple[Closure, ...]) -> Closure:
    """Compile a list literal."""
    return lambda scope: [item(scope) for item in items]


def context_of(entries: tuple[tuple[str, Closure], ...]) -> Closure:
    """Compile a context literal. An entry sees the entries before it."""

    def evaluate(scope: Scope) -> dict[str, Any]:
        names: dict[str, Any] = {}
        inner = Scope(names, scope)
        for key, value in entries:
            names[key] = value(inner)
        return names

    return evaluate


def function_of(parameters: tuple[str, ...], body: Closure, size: int) -> Closure:
    """Compile a function definition."""

    def evaluate(scope: Scope) -> Function:
        visible = scope.snapshot()

        def call(values: Sequence[Any]) -> Any:  # noqa: ANN401 - any FEEL value
            return body(Scope(dict(zip(parameters, values, strict=True)), visible))

        return Function(parameters, call, size)

    return evaluate
