"""What can go wrong with the embedded stack, said to the person who started it."""

import errno

from workers.failure import Failure

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the operating system says when a disk, or a user's share of it, is full."""


class StackError(Failure):
    """The stack cannot do what was asked; the message says why and what to do, in whole sentences."""


class ArtifactError(StackError):
    """A file of the stack cannot be had: no network, a full disk, or a file that is not the pinned one."""


def disk_full(what: str) -> ArtifactError:
    """Return the error for a full disk of the cache; `what` says what there is no room for."""
    return ArtifactError(
        f"The disk is full: {what}. Make room, or name another place with the environment variable SAGA_CACHE; "
        "then start again."
    )


class NoRoomError(StackError):
    """The disk has too little room for a stack."""


class PortTakenError(StackError):
    """A port of the stack belongs to another process."""


class AlreadyRunningError(StackError):
    """Another supervisor holds this data directory."""


class PartFailedError(StackError):
    """A part crashed too often or did not become ready; the message ends with its last log lines."""
