"""The words that requests and answers are made of; a body that says more or less than them is refused.

`Request`, `Answer` and `Nothing` are any participant's; order, item, address and money are the words that the
participants of this suite share, and all that this library knows of their business.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
"""No control characters: PostgreSQL cannot store NUL, and the others belong in no name."""

SagaId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"), Field(examples=["4711"])]
"""The id of a saga, whatever its process calls it: the same in each of its commands (docs/participants.md)."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PRINTABLE)]
_YEARS = range(2000, 3000)
"""Times outside of them are a clock that is not set, or no time that PostgreSQL and Python both know."""


def _check_year(time: datetime) -> datetime:
    if time.year not in _YEARS:
        message = f"must be in the years {_YEARS[0]} to {_YEARS[-1]}"
        raise ValueError(message)
    return time


Time = Annotated[AwareDatetime, AfterValidator(_check_year)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=PRINTABLE)]


class Request(BaseModel):
    """A body that a caller sends: camelCase, of exactly the declared types, without unknown fields."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, strict=True, extra="forbid")


class Answer(BaseModel):
    """A body that a service sends: written with Python's names here, sent in camelCase."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Item(Request):
    """So many of one article."""

    sku: Annotated[Name, Field(examples=["KEYBOARD"])]
    quantity: Annotated[int, Field(ge=1, le=1000, examples=[2])]


def _distinct(items: list[Item]) -> list[Item]:
    if len({item.sku for item in items}) < len(items):
        message = "one sku stands twice; say it once, with the sum of the quantities"
        raise ValueError(message)
    return items


Items = Annotated[list[Item], Field(min_length=1, max_length=50), AfterValidator(_distinct)]


class Address(Request):
    """Where a parcel goes."""

    name: Annotated[Line, Field(examples=["Ada Lovelace"])]
    street: Annotated[Line, Field(examples=["12 Analytical Row"])]
    city: Annotated[Line, Field(examples=["Berlin"])]
    postal_code: Annotated[
        str, StringConstraints(min_length=1, max_length=16, pattern=PRINTABLE), Field(examples=["10115"])
    ]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), Field(examples=["DE"])]


class Money(Request):
    """An amount in the currency's minor unit: 4990 EUR is 49.90 euros."""

    amount: Annotated[int, Field(ge=0, le=10**15, examples=[9980])]
    currency: Literal["EUR"] = "EUR"


class Nothing(Request):
    """The body of a command whose URL says it all: `{}`."""
