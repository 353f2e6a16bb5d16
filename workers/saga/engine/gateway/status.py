"""Which gRPC status tells a client why its request was refused, and how much text goes with it."""

from urllib.parse import quote

import grpc

from ..core import Rejection
from ..errors import Busy, Overdue, Stopping

_BY_REJECTION = {
    "INVALID_ARGUMENT": grpc.StatusCode.INVALID_ARGUMENT,
    "NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "ALREADY_EXISTS": grpc.StatusCode.ALREADY_EXISTS,
    "INVALID_STATE": grpc.StatusCode.FAILED_PRECONDITION,
    # A request that is too large will never fit: a status that clients retry would keep them at it.
    "EXCEEDED_BATCH_RECORD_SIZE": grpc.StatusCode.INVALID_ARGUMENT,
    "PROCESSING_ERROR": grpc.StatusCode.INTERNAL,
}
_BY_ERROR = {
    Busy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Stopping: grpc.StatusCode.UNAVAILABLE,
    Overdue: grpc.StatusCode.DEADLINE_EXCEEDED,
}
REFUSALS = (Rejection, Busy, Stopping, Overdue)
"""What a request may raise that is an answer to the client."""
MAX_TEXT = 6 * 1024
"""Bytes of a status text as they travel; clients take 8 KiB of metadata in all."""


def status(refusal: Exception) -> tuple[grpc.StatusCode, str]:
    """Return status and text for one of `REFUSALS`."""
    if isinstance(refusal, Rejection):
        return _BY_REJECTION[refusal.code], shorten(str(refusal))
    return _BY_ERROR[type(refusal)], shorten(str(refusal))


def shorten(text: str) -> str:
    """Return at most 6 KB of `text` as it travels: whole lines where possible, and how many more there are."""
    if _size(text) <= MAX_TEXT:
        return text
    lines = text.split("\n")
    kept = 0
    room = MAX_TEXT - len("%0Aand 1000000 more")
    while kept < len(lines) and (size := _size(lines[kept] + "\n")) <= room:
        room -= size
        kept += 1
    if kept > 0:
        return "\n".join([*lines[:kept], f"and {len(lines) - kept} more"])
    characters = _fitting(text, room)
    return f"{text[:characters]}... and {len(text) - characters} more"


def _fitting(text: str, room: int) -> int:
    """Return how many of the first characters travel in `room` bytes."""
    least, most = 0, min(len(text), room)
    while least < most:
        middle = (least + most + 1) // 2
        if _size(text[:middle]) <= room:
            least = middle
        else:
            most = middle - 1
    return least


def _size(text: str) -> int:
    """Return the bytes of a text in gRPC's percent encoding."""
    return len(quote(text, safe=" !\"#$&'()*+,/:;<=>?@[\\]^`{|}", errors="replace"))
