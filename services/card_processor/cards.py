"""The test numbers: what this processor does with a card is decided by its number, as card processors document it.

Every other card number is charged. Each fault happens at the first charge of a reference; a repeat is served well.
"""

from enum import StrEnum


class Decline(StrEnum):
    """Why a card was not charged; the `code` of the problem document."""

    CARD_DECLINED = "CARD_DECLINED"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"


DECLINES = {
    "4000000000000002": Decline.CARD_DECLINED,
    "4000000000009995": Decline.INSUFFICIENT_FUNDS,
}
"""The numbers that Stripe documents for this."""


class Fault(StrEnum):
    """How the first charge goes wrong."""

    UNANSWERED = "charged, and no answer ever comes"
    UNHEARD = "not charged, and no answer ever comes"
    LATE = "charged only after the caller gave up"
    FAILED = "answered 500, and not charged"


FAULTS = {
    "4000000000004087": Fault.UNANSWERED,
    "4000000000005043": Fault.UNHEARD,
    "4000000000004251": Fault.LATE,
    "4000000000005001": Fault.FAILED,
}
"""Numbers of our own, with a check digit that fits."""
