"""The form of card numbers (ISO/IEC 7812-1): how many digits they have, and that the last is a check digit."""

LENGTHS = range(12, 20)
"""Digits of a card number."""


def fits(number: str) -> bool:
    """Tell whether the last digit of `number`, which is digits only, is the check digit of those before it."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
