"""What can go wrong with the embedded stack, said to the person who started it."""

from saga.clients.failure import Failure


class StackError(Failure):
    """The stack cannot do what was asked; the message says why and what to do, in whole sentences."""


class StateFileError(StackError):
    """The state file cannot be read."""


class DamagedStateError(StateFileError):
    """The state file has something that no supervisor has written."""


class NoRoomError(StackError):
    """The disk has too little room for a stack."""


class PortTakenError(StackError):
    """A port of the stack belongs to another process."""


class AlreadyRunningError(StackError):
    """Another supervisor holds this data directory."""


class PartFailedError(StackError):
    """A part crashed too often or did not become ready; the message ends with its last log lines."""
