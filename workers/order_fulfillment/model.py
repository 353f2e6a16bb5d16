"""The words of an order: what its process variables are, as every step and `saga start` read them.

No model here ever repeats a value in an error: an order holds a customer's card and address.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from saga.common import luhn
from saga.kit import SagaId, Variables

OrderId = SagaId
"""The order's name everywhere: process variable, message correlation key, saga id, part of every URL."""


def _check_digit(number: str) -> str:
    if not luhn.fits(number):
        message = "is not a card number: its check digit does not fit"
        raise ValueError(message)
    return number


CardNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{12,19}$"), AfterValidator(_check_digit)]
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""
_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
"""No control characters: a database cannot store NUL, and the others belong in no name."""
Line = Annotated[str, StringConstraints(max_length=200, pattern=_PRINTABLE)]
Name = Annotated[str, StringConstraints(max_length=64, pattern=_PRINTABLE)]


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, strict=True, extra="forbid")


class Item(_Part):
    """So many of one article."""

    sku: Name
    quantity: Annotated[int, Field(ge=1, le=1000)]


def _distinct(items: list[Item]) -> list[Item]:
    if len({item.sku for item in items}) < len(items):
        message = "one sku stands twice; say it once, with the sum of the quantities"
        raise ValueError(message)
    return items


Items = Annotated[list[Item], Field(min_length=1, max_length=50), AfterValidator(_distinct)]


class Address(_Part):
    """Where a shipment goes."""

    name: Line
    street: Line
    city: Line
    postal_code: Annotated[str, StringConstraints(max_length=16, pattern=_PRINTABLE)]
    country: CountryCode


class Money(_Part):
    """An amount in the currency's minor unit: 4990 EUR is 49.90 euros."""

    amount: Annotated[int, Field(ge=0)]
    currency: Literal["EUR"]


class OrderVariables(Variables):
    """What every step of the saga reads: which order it is about."""

    order_id: OrderId

    @property
    def saga_id(self) -> str:
        """The order is the saga: never a job's or an instance's key, which change when it is started again."""
        return self.order_id


class Order(OrderVariables):
    """A whole order, as it is started with."""

    customer_id: Name
    items: Items
    card: CardNumber
    ship_to: Address
