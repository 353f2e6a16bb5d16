"""The token of a gRPC call."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from ..access import Access

if TYPE_CHECKING:
    # Generic for type checkers only.
    Context = grpc.aio.ServicerContext[Any, Any]
    RpcMethodHandler = grpc.RpcMethodHandler[Any, Any]


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Refuses calls without a token that is known."""

    def __init__(self, access: Access) -> None:
        """Accept the tokens of `access`."""
        self._access = access

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["RpcMethodHandler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "RpcMethodHandler | None":
        """Let the call through, or answer UNAUTHENTICATED."""
        metadata = dict(handler_call_details.invocation_metadata or ())
        if self._access.knows(str(metadata.get("authorization", ""))):
            return await continuation(handler_call_details)
        return grpc.unary_unary_rpc_method_handler(_refuse)


async def _refuse(_request: object, context: "Context") -> None:
    text = "A token is needed: send it as 'authorization: Bearer TOKEN', or a user and password as Basic."
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, text)
