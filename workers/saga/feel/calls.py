"""Closures for invocations of built-in functions and of functions that the expression defines."""

from typing import Any

from .functions import Builtin, find
from .nodes import Closure
from .scope import MISSING, Invalid, Run, Scope, invoke
from .values import Function


def invocation(name: str, arguments: tuple[Closure, ...], names: tuple[str, ...], *, dynamic: bool) -> Closure:
    """Compile an invocation.

    Args:
        name: Of the function.
        arguments: In the order of the text.
        names: Of all arguments; empty where they are given by position.
        dynamic: The expression defines functions, so this may be one of them.

    """
    builtin = find(name, len(arguments), names)
    if builtin is None:
        fixed = _unknown(name, len(arguments), names)
    elif names:
        order = dict(zip(names, arguments, strict=True))
        fixed = _builtin(builtin, tuple(order.get(parameter, _null) for parameter in builtin.parameters))
    else:
        fixed = _builtin(builtin, arguments)
    return _dynamic(name, arguments, names, fixed) if dynamic else fixed


def _null(_scope: Scope) -> None:
    return None


def _unknown(name: str, count: int, names: tuple[str, ...]) -> Closure:
    what = f"parameters: {','.join(names)}" if names else f"{count} parameters"
    text = f"No function found with name '{name}' and {what}"

    def evaluate(scope: Scope) -> None:
        scope.run.warn("NO_FUNCTION_FOUND", text)

    return evaluate


def _builtin(builtin: Builtin, arguments: tuple[Closure, ...]) -> Closure:
    fixed = len(builtin.parameters) - builtin.variadic
    name, types, call, variadic = builtin.name, builtin.types, builtin.call, builtin.variadic

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        run = scope.run
        values = [argument(scope) for argument in arguments]
        if variadic:
            rest = values[fixed:]
            spread = builtin.spread and len(rest) == 1 and isinstance(rest[0], list)
            values = [*values[:fixed], rest[0] if spread else rest]
        run.spend(1)
        for value, kinds in zip(values, types, strict=True):
            if kinds is not None and not isinstance(value, kinds):
                return _illegal(run, name, values)
            run.charge(value)
        try:
            result = call(run, *values)
        except Invalid as invalid:
            if not invalid.args:
                return _illegal(run, name, values)
            return _failed(run, name, str(invalid))
        run.charge(result)
        return result

    return evaluate


def _illegal(run: Run, name: str, values: list[Any]) -> None:
    shown = ", ".join(f"'{run.quote(value)}'" for value in values)
    _failed(run, name, f"Illegal arguments: {shown}")


def _failed(run: Run, name: str, reason: str) -> None:
    run.warn("FUNCTION_INVOCATION_FAILURE", f"Failed to invoke function '{name}': {reason}")


def _dynamic(name: str, arguments: tuple[Closure, ...], names: tuple[str, ...], fixed: Closure) -> Closure:
    unknown = _unknown(name, len(arguments), names)

    def evaluate(scope: Scope) -> Any:  # noqa: ANN401 - any FEEL value
        outer: Scope | None = scope
        while outer is not None and outer.parent is not None:
            function = outer.names.get(name, MISSING)
            if isinstance(function, Function):
                break
            outer = outer.parent
        else:
            return fixed(scope)
        values = [argument(scope) for argument in arguments]
        if names:
            given = dict(zip(names, values, strict=True))
            if set(given) != set(function.parameters):
                return unknown(scope)
            values = [given[parameter] for parameter in function.parameters]
        if len(values) != len(function.parameters):
            return unknown(scope)
        return invoke(scope.run, function, *values)

    return evaluate
