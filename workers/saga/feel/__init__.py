"""FEEL, the expression language of Camunda 8, in pure Python.

    >>> parse("order.total > 100").evaluate({"order": {"total": 120}}, Now(0, "UTC", 0)).value
    True

An evaluation depends on its text, its context and its `Now` alone: no clock, no zone of the system, no randomness.
"""

from .errors import FeelSyntaxError, Missing
from .evaluate import Evaluation, Expression, parse
from .scope import Now, Warning_
from .values import to_json, type_name

__all__ = [
    "Evaluation",
    "Expression",
    "FeelSyntaxError",
    "Missing",
    "Now",
    "Warning_",
    "parse",
    "to_json",
    "type_name",
]
