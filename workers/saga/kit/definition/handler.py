"""One task type: its function, and what the runtime has to know about it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticSerializationError

from saga.kit.definition import compensate
from saga.kit.definition.outcomes import Broken, Declined
from saga.kit.definition.retry import Retry
from saga.kit.definition.variables import Variables, field_errors

_RECEIPT_LIMIT = 1_000_000
"""Bytes of a receipt; a broker's record holds all variables of an instance and is limited to 4 MiB."""


@dataclass(frozen=True)
class Handler:
    """A do or an undo."""

    task_type: str
    function: Callable[..., Any]
    is_blocking: bool
    """Whether the function is a plain one, which runs on a thread; otherwise it is awaited."""
    variables: type[Variables]
    services: tuple[str, ...]
    job_parameter: str | None
    receipt: type[BaseModel]
    refusals: frozenset[str]
    invalid: str | None
    retry: Retry
    limit: float
    """Seconds that one run may take."""
    extends_lease: bool
    undoes: str | None
    """The task type of the do that this one undoes; None if it is a do itself."""
    undo: "Handler | None" = None
    """The undo of a do; a job can be ordered to run it in place of the do."""

    @cached_property
    def receipt_name(self) -> str:
        """The process variable that holds the receipt."""
        return to_camel(_snake(self.receipt.__name__))

    @cached_property
    def fetch(self) -> list[str]:
        """The names of the variables that Zeebe has to send with the job."""
        own = [field.alias or name for name, field in self.variables.model_fields.items()]
        if self.undo is None:
            return own
        return list(dict.fromkeys([*own, *self.undo.fetch, compensate.VARIABLE]))

    def parse(self, variables: str) -> Variables:
        """Read the job's variables, a JSON object.

        Raises:
            Declined: They are not valid, and the step declares a code for that.
            Broken: They are not valid: an incident that names each field, never its value.
        """
        try:
            return self.variables.model_validate_json(variables)
        except ValidationError as error:
            errors = field_errors(error, variables)
            listed = "; ".join(f"{each.field}: {each.message}" for each in errors)
            if self.invalid is not None:
                raise Declined(self.invalid, listed, errors) from None
            message = f"{self.task_type} cannot read its variables. {listed}. Mend them, then retry."
            raise Broken(message) from None

    def saga_of(self, variables: str) -> str | None:
        """Return the saga that a job with these variables belongs to; None if they do not name one."""
        try:
            return self.parse(variables).saga_id
        except BaseException:  # noqa: BLE001 - it is called after a failure already, and must not add another one
            return None

    def encode(self, receipt: object) -> str:
        """Encode the receipt as a JSON object with its one variable; a Decimal becomes text with all its digits.

        Raises:
            Broken: It is not what the step declares, cannot be JSON (NaN, infinity, bytes that are not text), or is too
                large.
        """
        if not isinstance(receipt, self.receipt):
            returned, declared = type(receipt).__name__, self.receipt.__name__
            message = (
                f"{self.task_type} returned a {returned}, not the {declared} it declares. Mend the step, then retry."
            )
            raise Broken(message)
        try:
            document = receipt.model_dump_json(by_alias=True)
        except PydanticSerializationError:
            self._refuse("something that cannot be written as JSON")
        # Pydantic writes NaN and infinity, which are not valid JSON (RFC 8259), as null.
        if "null" in document and not _is_finite(receipt.model_dump()):
            self._refuse("NaN or an infinite number, which JSON does not know,")
        # Most characters take one byte; only a document near the limit is counted exactly.
        if len(document) * 4 > _RECEIPT_LIMIT and (size := len(document.encode())) > _RECEIPT_LIMIT:
            message = f"{self.task_type} left a receipt of {size} bytes; {_RECEIPT_LIMIT} are allowed. Keep less in it."
            raise Broken(message)
        return f'{{"{self.receipt_name}":{document}}}'

    def _refuse(self, what: str) -> NoReturn:
        message = f"{self.task_type} left {what} in its {self.receipt.__name__}. Mend the step, then retry."
        raise Broken(message) from None


def _is_finite(value: object) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case dict():
            return all(map(_is_finite, value.values()))
        case list() | tuple() | set() | frozenset():
            return all(map(_is_finite, value))
        case _:
            return True


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).removeprefix("_")
