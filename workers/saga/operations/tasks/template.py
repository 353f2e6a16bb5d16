"""FEEL in forms: `{{ expressions }}` in texts, and conditions."""

import json
import re
import time
from collections.abc import Mapping

from saga import feel
from saga.operations.tasks.forms import Json

_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal may act on, in a value that a stranger has written; not tabs and line feeds."""


def fill(template: str, variables: Mapping[str, Json]) -> str:
    """Return the text with the values of its expressions; one that is not valid FEEL stays as it is written.

    A whole text that begins with "=" is one expression.
    """

    def value(expression: str, written: str) -> str:
        try:
            return _text(_evaluate(expression, variables))
        except feel.FeelSyntaxError:
            return written

    if template.startswith("="):
        return printable(value(template[1:], template))
    return printable(_EXPRESSION.sub(lambda found: value(found[1].strip(), found[0]), template))


def is_true(expression: str | None, variables: Mapping[str, Json]) -> bool:
    """Tell whether a condition, with or without its "=", yields true; one that is not valid FEEL does not."""
    if not expression:
        return False
    try:
        return _evaluate(expression.removeprefix("="), variables) is True
    except feel.FeelSyntaxError:
        return False


def printable(text: str) -> str:
    """Return a text without the control characters that a terminal would act on."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _evaluate(expression: str, variables: Mapping[str, Json]) -> Json:
    now = feel.Now(round(time.time() * 1000), "UTC", 0)
    return feel.to_json(feel.parse(expression).evaluate(variables, now).value)


def _text(value: Json) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)
