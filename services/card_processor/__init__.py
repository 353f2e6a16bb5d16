"""A FAKE card processor: a process that stands for the third party that a company pays for taking money from cards.

It is no participant of the saga and knows nothing of it: it has tables of its own that payment cannot see, an
idempotency key of its own, and moods. Test numbers (services/card_processor/cards.py) make it decline, charge without
answering, answer without charging, or fall silent. A company puts its own processor's address in CARD_PROCESSOR_URL and
its own client in services/payment/processor.py, and never starts this one.
"""

PORT = 8105

THIRD_PARTY = True
"""Nobody commands it for a saga: it has no barrier, and nothing of a saga to undo or to forget."""
