"""Card numbers: checked when they come in, and never seen again but for their last four digits."""

from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer, SecretStr

from saga.common import luhn


def _check(card: SecretStr) -> SecretStr:
    number = card.get_secret_value()
    if not (number.isascii() and number.isdigit() and len(number) in luhn.LENGTHS):
        message = f"must be {luhn.LENGTHS[0]} to {luhn.LENGTHS[-1]} digits"
        raise ValueError(message)
    if not luhn.fits(number):
        message = "is not a card number: its check digit does not fit"
        raise ValueError(message)
    return card


def last_four(card: SecretStr) -> str:
    """Return what may be shown and kept of a card number (PCI DSS 4.0, requirement 3.4)."""
    return card.get_secret_value()[-4:]


# What the barrier hashes is what the model writes: never the number, which could be found by trying them all.
Card = Annotated[
    SecretStr,
    AfterValidator(_check),
    PlainSerializer(last_four, return_type=str),
    Field(
        examples=["4242424242424242"],
        # What `_check` sees to, so that a number of another length is told apart from one with a wrong check digit.
        json_schema_extra={"minLength": luhn.LENGTHS[0], "maxLength": luhn.LENGTHS[-1]},
    ),
]
