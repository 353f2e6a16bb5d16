"""Limits that gRPC itself enforces, here or at the server; it tells them as a busy broker does: RESOURCE_EXHAUSTED."""

import grpc

_ANSWER = "received message larger than max"
_METADATA = "metadata size exceeds"


def limit_of(error: Exception) -> str | None:
    """Return which limit a call broke and with what setting it moves; None where the broker is just busy."""
    if not isinstance(error, grpc.aio.AioRpcError) or error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
        return None
    details = (error.details() or "").lower()
    if _ANSWER in details:
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
    """Tell whether an answer was larger than what is taken here: fewer jobs at once are a smaller one."""
    return isinstance(error, grpc.aio.AioRpcError) and _ANSWER in (error.details() or "").lower()
