"""The gRPC server: the gateway, health, and a sentence for every other call."""

from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from ..access import Access
from ..errors import PortTaken
from ..writer import Writer
from .authentication import TokenInterceptor
from .proto import add_GatewayServicer_to_server
from .servicer import SERVICE, servicer, unimplemented

if TYPE_CHECKING:
    # Generic for type checkers only.
    RpcMethodHandler = grpc.RpcMethodHandler[Any, Any]

MAX_MESSAGE = 4 * 1024 * 1024
"""Bytes of a request; gRPC itself refuses a larger one as RESOURCE_EXHAUSTED."""
_PENDING = 100_000
"""Calls that may wait to be looked at."""
_OPTIONS = (
    # A port that is taken is an error: with it, clients would silently reach the other engine.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    # Clients keep idle streams alive by pings; by default more than one in five minutes is too many.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Of calls that come in one burst, gRPC drops some beyond 1,000 without a word; we say RESOURCE_EXHAUSTED ourselves.
    ("grpc.server.max_pending_requests", _PENDING),
    ("grpc.server.max_pending_requests_hard_limit", _PENDING),
)


class GatewayServer:
    """The gateway on one port."""

    def __init__(self, writer: Writer, access: Access) -> None:
        """Make the server; it does not listen yet."""
        interceptors = [TokenInterceptor(access)] if access.tokens else []
        self._writer = writer
        self._server = grpc.aio.server(options=_OPTIONS, interceptors=interceptors)
        self._health = health.HealthServicer()

    async def start(self, host: str, port: int) -> int:
        """Listen and answer; return the port, which is the system's choice for 0.

        Raises:
            PortTaken: It cannot listen there.
        """
        try:
            listening = self._server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except RuntimeError:
            raise PortTaken(host, port) from None
        add_GatewayServicer_to_server(servicer(self._writer, listening), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_generic_rpc_handlers((_Unknown(),))
        for service in ("", SERVICE.full_name):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()
        return listening

    async def stop(self) -> None:
        """Take no more calls, and wait a moment for those that are being answered."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace=2)


class _Unknown(grpc.GenericRpcHandler):
    """Answers every call of the gateway that the protocol here does not have."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "RpcMethodHandler | None":
        """Return the handler of a call; None where it is not the gateway's."""
        service, _, name = handler_call_details.method.strip("/").rpartition("/")
        if service != SERVICE.full_name:
            return None
        return grpc.unary_unary_rpc_method_handler(unimplemented(name))
