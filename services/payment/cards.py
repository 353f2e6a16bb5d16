"""Card numbers: checked when they come in, and never seen again but for their last four digits."""

from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer, SecretStr

_SHORTEST, _LONGEST = 12, 19
"""Digits of a card number (ISO/IEC 7812-1)."""


def _check(card: SecretStr) -> SecretStr:
    number = card.get_secret_value()
    if not (number.isascii() and number.isdigit() and _SHORTEST <= len(number) <= _LONGEST):
        message = f"must be {_SHORTEST} to {_LONGEST} digits"
        raise ValueError(message)
    digits = [int(digit) for digit in reversed(number)]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    if (sum(digits[::2]) + sum(doubled)) % 10:
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
    Field(examples=["4242424242424242"]),
]
