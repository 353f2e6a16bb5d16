"""What a built-in function is."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

Types = tuple[type, ...] | None

NUMBER: Types = (Decimal,)
STRING: Types = (str,)
LIST: Types = (list,)
CONTEXT: Types = (dict,)
ANY: Types = None
"""Every value, null too."""


class Builtin(NamedTuple):
    """One signature of a function."""

    name: str
    parameters: tuple[str, ...]
    types: tuple[Types, ...]
    """Of each parameter; only ANY takes null."""
    call: Callable[..., Any]
    """Takes the run and the arguments. Raises Invalid for arguments that it cannot use (null and a warning), and
    Failure for what fails the whole evaluation."""
    variadic: bool = False
    """The last parameter takes the rest of the arguments as a list."""
    spread: bool = False
    """A single list in the place of the rest is the rest."""


def builtin(name: str, call: Callable[..., Any], **parameters: Types) -> Builtin:
    """Describe a signature; an underscore in a parameter's name stands for a blank."""
    names = tuple(parameter.replace("_", " ") for parameter in parameters)
    return Builtin(name, names, tuple(parameters.values()), call)


def variadic(name: str, call: Callable[..., Any], *, spread: bool = False, **parameters: Types) -> Builtin:
    """Describe a signature whose last parameter takes the rest of the arguments."""
    return builtin(name, call, **parameters)._replace(variadic=True, spread=spread)
