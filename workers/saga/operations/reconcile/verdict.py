"""What is to become of an effect: one table, one place."""

from enum import StrEnum


class Instance(StrEnum):
    """What the engine's records say of a process instance."""

    ACTIVE = "active"
    COMPLETED = "completed"
    TERMINATED = "terminated"
    """It was cancelled."""
    LOST = "lost"
    """A person says that the engine lost its data, and what it has now does not hold this instance."""
    UNKNOWN = "unknown"
    """Nobody knows it, its state is none that we know, or the effect does not say whose it is."""


class Element(StrEnum):
    """What the engine's records say of the element instance that an effect was made for."""

    ACTIVE = "active"
    COMPLETED = "completed"
    TERMINATED = "terminated"
    UNKNOWN = "unknown"
    """Not there, or not yet: searches show it about a second after the broker has it."""


class Verdict(StrEnum):
    """What is to be done."""

    WAIT = "wait"
    """The process can still complete or compensate it."""
    KEEP = "keep"
    """The instance has ended with it."""
    UNDO = "undo"
    """Nothing else will."""
    ASK = "ask"
    """A person decides: the records do not say enough, and a guess could undo a good order."""


def verdict(instance: Instance, element: Element, *, has_undo: bool) -> Verdict:
    """Decide about one effect.

    Args:
        instance: The process instance that it was made for.
        element: The element instance there.
        has_undo: Whether it can be undone; a record, as of a customer's wish, cannot, and ends with its instance.
    """
    match instance, element:
        case Instance.UNKNOWN, _:
            return Verdict.ASK if has_undo else Verdict.KEEP
        # The engine compensates nothing when an instance is cancelled, and nothing that it does not know any more.
        case ((Instance.TERMINATED | Instance.LOST), _):
            return Verdict.UNDO if has_undo else Verdict.KEEP
        # An interrupted element is never compensated, however the instance goes on.
        case _, Element.TERMINATED:
            return Verdict.UNDO if has_undo else Verdict.KEEP
        case Instance.COMPLETED, Element.COMPLETED:
            return Verdict.KEEP
        case _:
            return Verdict.WAIT
