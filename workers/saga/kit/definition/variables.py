"""The variables that a step reads from its process instance, and the receipt that it writes."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from saga.common.problems import FieldError

_DOCUMENT = "(the document)"
_ERRORS = 20
"""Fields that a refusal names at most: it has to fit into a broker's record, whatever the input was."""
_TOO_DEEP = re.compile(r"recursion limit exceeded at line 1 column (\d+)$")
KEEPS: Literal["keys"] = "keys"
"""Pydantic caches only field names of the JSON that it reads: by default it also caches 16,384 short texts.

These are customers' data, and a worker's memory would grow for hours.
"""

SagaId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""The id of a saga: part of URLs, of keys and of messages. Participants take no other."""


class Variables(BaseModel):
    """The variables that a step reads from its process instance; only these are fetched from Zeebe."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, strict=True, cache_strings=KEEPS
    )

    @property
    def saga_id(self) -> str:
        """The name of the saga that the job belongs to; it is part of each idempotency key."""
        raise NotImplementedError


class Receipt(BaseModel):
    """The result of a step: the participant's response, in a process variable of its own.

    A participant may add fields to its responses at any time; fields that the step does not name are left out.
    NaN and infinity are not valid JSON (RFC 8259) and are refused: by the model if a field is a number, otherwise when
    the receipt is encoded. A Decimal is encoded as text with all its digits.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, allow_inf_nan=False, cache_strings=KEEPS
    )


def field_errors(error: ValidationError, document: str = "") -> tuple[FieldError, ...]:
    """Return each invalid field in a readable form (`items[0].sku`), and never its value.

    With `document`, the JSON on one line that was read, a field that is nested too deeply is named as well.
    """
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    if document and (found := _TOO_DEEP.search(errors[0]["msg"])):
        return (FieldError(_last_field(document.encode()[: int(found[1]) - 1]), "is nested too deeply"),)
    named = tuple(
        FieldError.of(each["type"], each["loc"], each["msg"].removeprefix("Value error, "), whole=_DOCUMENT)
        for each in errors[:_ERRORS]
    )
    if len(errors) <= _ERRORS:
        return named
    return (*named, FieldError(_DOCUMENT, f"and {len(errors) - _ERRORS} more"))


def _last_field(beginning: bytes) -> str:
    """Return the field of an object in which the beginning of its JSON ends."""
    fields = from_json(beginning, allow_partial=True, cache_strings=KEEPS)
    return next(reversed(fields), _DOCUMENT) if isinstance(fields, dict) else _DOCUMENT
