"""What a step reads of its process instance, and what it leaves behind."""

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from saga.kit.definition.outcomes import FieldError

_DOCUMENT = "(the document)"
_ERRORS = 20
"""Fields that a refusal names at most: it has to fit into the broker's record, whatever was sent."""
_TOO_DEEP = re.compile(r"recursion limit exceeded at line 1 column (\d+)$")
KEEPS: Literal["keys"] = "keys"
"""Of the JSON that it reads, pydantic keeps names of fields only: by default it holds on to 16,384 short texts as well.

They are the customers', and a worker's memory would grow for hours until there are so many.
"""

SagaId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""The id of a saga: part of URLs, of keys and of messages. Participants take no other."""


class Variables(BaseModel):
    """What a step reads of its process instance; only these variables are fetched from the broker."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, strict=True, cache_strings=KEEPS
    )

    @property
    def saga_id(self) -> str:
        """The name of the saga that this job belongs to; participants see it in each idempotency key."""
        raise NotImplementedError


class Receipt(BaseModel):
    """What a step leaves behind: the participant's answer, under one variable of its own.

    A participant may add fields to its answers at any time; those that the step does not name are left out.
    NaN and infinity are no JSON (RFC 8259) and are refused: by the model where a field is a number, and else when
    the receipt is written. A Decimal is written as text with all its digits.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, allow_inf_nan=False, cache_strings=KEEPS
    )


def field_errors(error: ValidationError, document: str = "") -> tuple[FieldError, ...]:
    """Say each field that is wrong as a person writes it (`items[0].sku`), and never its value.

    With `document`, the JSON on one line that was read, a field that is nested too deeply is named as well.
    """
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    if document and (found := _TOO_DEEP.search(errors[0]["msg"])):
        return (FieldError(_last_field(document.encode()[: int(found[1]) - 1]), "is nested too deeply"),)
    named = tuple(_field_error(each["type"], each["loc"], each["msg"]) for each in errors[:_ERRORS])
    if len(errors) <= _ERRORS:
        return named
    return (*named, FieldError(_DOCUMENT, f"and {len(errors) - _ERRORS} more"))


def _field_error(kind: str, location: tuple[int | str, ...], message: str) -> FieldError:
    if kind == "extra_forbidden":
        # The name of a field that nobody knows is the sender's own text: it may hold anything.
        return FieldError(_path(location[:-1]) or _DOCUMENT, "has an unknown field")
    return FieldError(_path(location) or _DOCUMENT, message.removeprefix("Value error, "))


def _last_field(beginning: bytes) -> str:
    """Return the field of an object in which the beginning of its JSON ends."""
    fields = from_json(beginning, allow_partial=True, cache_strings=KEEPS)
    return next(reversed(fields), _DOCUMENT) if isinstance(fields, dict) else _DOCUMENT


def _path(location: Iterable[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
