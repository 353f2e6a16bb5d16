"""Problem documents (RFC 9457), and how a field that is wrong is named."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from saga.common.responses import media_type

PROBLEM: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of some input that is not as it must be; never holds the field's value."""

    field: str
    message: str

    def __post_init__(self) -> None:
        """Check that both are text.

        Raises:
            TypeError: One of them is not.
        """
        if not (isinstance(self.field, str) and isinstance(self.message, str)):
            wrong = "FieldError takes a field and a message, both of them text"
            raise TypeError(wrong)

    @classmethod
    def of(cls, kind: str, location: Iterable[int | str], message: str, *, whole: str) -> "FieldError":
        """Name one of pydantic's errors, by its type, location and message; `whole` names the document itself."""
        path = tuple(location)
        if kind == "extra_forbidden":
            # The name of a field that nobody knows is the sender's own text: it may hold anything.
            return cls(field_path(path[:-1]) or whole, "has an unknown field")
        return cls(field_path(path) or whole, message)


class ProblemDetails(BaseModel):
    """What is read of a problem document; everything else in it is its sender's own."""

    # Whole answers are kept by nobody: pydantic would keep their strings.
    model_config = ConfigDict(cache_strings="keys")

    code: str | None = None
    """Ours and many others' have one, by which a program decides; Camunda's have none."""
    detail: str = ""
    title: str = ""
    errors: list[FieldError] = []


def is_problem(response: httpx.Response) -> bool:
    """Tell whether a response says that it has a problem document: a bare 404 may be of whatever else listens there."""
    return media_type(response) == PROBLEM


def problem_of(response: httpx.Response) -> ProblemDetails | None:
    """Return the problem document of a response; None where it has none that can be read."""
    if not is_problem(response):
        return None
    try:
        return ProblemDetails.model_validate_json(response.content)
    except ValidationError:
        return None


def field_path(location: Iterable[int | str]) -> str:
    """Write a location as a person does: `("items", 0, "sku")` is `items[0].sku`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
