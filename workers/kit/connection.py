"""The one gRPC channel to the engine, from the environment that Camunda's users already have."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import grpc
from pyzeebe import (
    create_camunda_cloud_channel,
    create_insecure_channel,
    create_oauth2_client_credentials_channel,
    create_secure_channel,
)
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from workers.kit.settings import EngineSettings

if TYPE_CHECKING:
    # The asynchronous stub exists for type checkers only: at run time it is the same class.
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_OPTIONS = (
    # A batch of jobs may be larger than gRPC's default of 4 MiB; the default answers that with RESOURCE_EXHAUSTED,
    # which looks like backpressure and never ends.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # After an outage, be back within a second: the default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 45_000),
)


def open_channel(settings: EngineSettings) -> grpc.aio.Channel:
    """Open the channel that the settings ask for: Camunda SaaS, OAuth, TLS or plain text.

    Plain text is chosen where `ZEEBE_INSECURE_CONNECTION` says so, the address has the scheme grpc or http, or
    nothing is said and the host is this machine. Nothing is sent yet: a wrong address shows at the first call.
    """
    insecure, target = plain_text(settings)
    if settings.client_id and settings.client_secret:
        secret = settings.client_secret.get_secret_value()
        if settings.cluster_id:
            return create_camunda_cloud_channel(
                client_id=settings.client_id,
                client_secret=secret,
                cluster_id=settings.cluster_id,
                region=settings.cluster_region,
                channel_options=_OPTIONS,
            )
        return create_oauth2_client_credentials_channel(
            grpc_address=target,
            client_id=settings.client_id,
            client_secret=secret,
            channel_credentials=_tls(settings),
            channel_options=_OPTIONS,
        )
    if insecure:
        return create_insecure_channel(target, _OPTIONS)
    return create_secure_channel(target, _OPTIONS, _tls(settings))


def plain_text(settings: EngineSettings) -> tuple[bool, str]:
    """Return whether the engine is spoken to without TLS, and its `host:port` without a scheme."""
    scheme, target, host = _parts(settings.address)
    if settings.insecure is not None:
        return settings.insecure, target
    return scheme in {"grpc", "http"} or (not scheme and host in _LOOPBACK), target


def stub(channel: grpc.aio.Channel) -> "GatewayAsyncStub":
    """Return the gateway's calls over `channel`."""
    return GatewayStub(channel)  # type: ignore[return-value]


def _parts(address: str) -> tuple[str, str, str]:
    scheme, separator, rest = address.partition("://")
    url = urlsplit(f"//{rest if separator else address}")
    host = url.hostname or "127.0.0.1"
    port = url.port or 26500
    return (scheme if separator else "", f"[{host}]:{port}" if ":" in host else f"{host}:{port}", host)


def _tls(settings: EngineSettings) -> grpc.ChannelCredentials:
    roots = Path(settings.ca_certificate).read_bytes() if settings.ca_certificate else None
    return grpc.ssl_channel_credentials(root_certificates=roots)
