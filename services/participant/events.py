"""CloudEvents 1.0 as our services exchange them: over HTTP, as a batch or a single structured event.

An event is its envelope alone. One that carries data, or an attribute that we do not know, is refused: what a
participant knows of a customer does not travel with its events.
"""

from typing import Annotated, Any, Final, Literal

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter
from pydantic import ValidationError as InvalidError

from services.participant.models import Name, SagaId, Time
from services.participant.problems import MEDIA_TYPE_UNKNOWN, Problem

BATCH: Final = "application/cloudevents-batch+json"
SINGLE: Final = "application/cloudevents+json"
LIMIT: Final = 100
"""Events in one request at most."""


class Event(BaseModel):
    """What happened, to which saga, and when."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    specversion: Literal["1.0"]
    id: Annotated[Name, Field(examples=["2f6a3c0e-8f0b-4a53-9d0c-9a1f0d6f7f10"])]
    source: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$"), Field(examples=["/payment"])]
    type: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$"), Field(examples=["saga.payment.payment.done"])]
    subject: Annotated[SagaId, Field(examples=["4711"])]
    time: Annotated[Time, Field(examples=["2026-11-25T10:00:00Z"])]

    @property
    def key(self) -> tuple[str, str]:
        """What tells one event from all others (CloudEvents 1.0, `id`)."""
        return self.source, self.id


_Batch = Annotated[list[Event], Field(max_length=LIMIT)]
_READERS: dict[str, TypeAdapter[list[Event]] | TypeAdapter[Event]] = {
    BATCH: TypeAdapter(_Batch),
    SINGLE: TypeAdapter(Event),
}
_SCHEMA: Final = Event.model_json_schema()
REQUEST_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            BATCH: {"schema": {"type": "array", "items": _SCHEMA, "maxItems": LIMIT}},
            SINGLE: {"schema": _SCHEMA},
        },
    }
}
"""What OpenAPI says of a route that takes events: `openapi_extra`."""


async def events_of(request: Request) -> list[Event]:
    """Return the events that a request brings.

    Raises:
        Problem: MEDIA_TYPE_UNKNOWN.
        RequestValidationError: they are not what they must be; says where.
    """
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    reader = _READERS.get(media_type)
    if reader is None:
        raise Problem(MEDIA_TYPE_UNKNOWN, f"Send {BATCH} or {SINGLE}.")
    try:
        read = reader.validate_json(await request.body())
    except InvalidError as error:
        # "events[0].time", as for the field of a model.
        where = ("body", "events") if media_type == BATCH else ("body",)
        errors = [{**each, "loc": (*where, *each["loc"])} for each in error.errors(include_input=False)]
        raise RequestValidationError(errors) from None
    return read if isinstance(read, list) else [read]
