"""Limits that gRPC itself enforces, here or at the server: with RESOURCE_EXHAUSTED, the status of a busy broker."""

import grpc

_RESPONSE = "received message larger than max"
_METADATA = "metadata size exceeds"


def limit_of(error: Exception) -> str | None:
    """Return the limit that a call exceeded and the setting for it; None if the broker is just busy."""
    if not isinstance(error, grpc.aio.AioRpcError) or error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
        return None
    details = (error.details() or "").lower()
    if _RESPONSE in details:
        return (
            "an answer is larger than the 64 MiB that this worker takes: lower WORKER_WINDOW_PER_TYPE, or keep less in "
            "the variables that the step reads"
        )
    if _METADATA in details:
        return (
            "the headers of a call, the token most likely, are larger than the gateway takes: ask for a smaller token "
            "(CAMUNDA_TOKEN_SCOPE), or raise the gateway's maximum header size"
        )
    return None


def is_too_large(error: Exception) -> bool:
    """Tell whether a response was larger than is accepted here: with fewer jobs at once it is smaller."""
    return isinstance(error, grpc.aio.AioRpcError) and _RESPONSE in (error.details() or "").lower()
