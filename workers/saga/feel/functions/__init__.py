"""The built-in functions of Camunda's FEEL, by subject."""

from . import contexts, conversion, lists, logic, numeric, patterns, ranges, statistics, strings, temporal
from .base import Builtin

LACKING: frozenset[str] = frozenset()
"""Functions that Camunda has and that are not here: an expression with one of them does not parse."""

_SUBJECTS = (contexts, conversion, lists, logic, numeric, patterns, ranges, statistics, strings, temporal)
BY_NAME: dict[str, list[Builtin]] = {}
"""All signatures of each function, in the order in which they are tried."""
for _subject in _SUBJECTS:
    for _function in _subject.FUNCTIONS:
        BY_NAME.setdefault(_function.name, []).append(_function)


def find(name: str, count: int, names: tuple[str, ...]) -> Builtin | None:
    """Find a signature by the number of arguments, or by their names where they have some."""
    functions = BY_NAME.get(name, ())
    if names:
        same = (function for function in functions if function.parameters == names)
        wider = (function for function in functions if set(names) <= set(function.parameters))
        return next(same, None) or next(wider, None)
    for function in functions:
        size = len(function.parameters)
        if count == size or (function.variadic and count > size):
            return function
    return None


__all__ = ["BY_NAME", "LACKING", "Builtin", "find"]
