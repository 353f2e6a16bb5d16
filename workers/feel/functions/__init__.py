"""The built-in functions of Camunda's FEEL, by subject."""

from . import contexts, conversion, lists, logic, numeric, patterns, ranges, statistics, strings, temporal
from .base import Builtin

LACKING: frozenset[str] = frozenset()
"""Functions that Camunda has and that are not here: an expression with one of them does not parse."""

_SUBJECTS = (contexts, conversion, lists, logic, numeric, patterns, ranges, statistics, strings, temporal)
_BY_NAME: dict[str, list[Builtin]] = {}
for _subject in _SUBJECTS:
    for _function in _subject.FUNCTIONS:
        _BY_NAME.setdefault(_function.name, []).append(_function)


def find(name: str, count: int, names: tuple[str, ...]) -> Builtin | None:
    """Find a signature by the number of arguments, or by their names where they have some."""
    for function in _BY_NAME.get(name, ()):
        parameters = function.parameters
        if names:
            if set(names) <= set(parameters):
                return function
        elif count == len(parameters) or (function.variadic and count > len(parameters)):
            return function
    return None


__all__ = ["LACKING", "Builtin", "find"]
