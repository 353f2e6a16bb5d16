"""The one gRPC channel to the engine, from the environment that Camunda's users already have."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import grpc
from pydantic import HttpUrl

from saga.common.http_clients import grpc_proxy_hint, is_this_machine
from saga.kit.gateway.credentials import TIMEOUT, ClientCredentials
from saga.kit.gateway.proto import GatewayStub
from saga.kit.settings import EngineSettings

if TYPE_CHECKING:
    # The asynchronous stub exists for type checkers only: at run time it is the same class.
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that are this machine."""
_STATUS_BYTES = 64 * 1024
"""Bytes of headers that a reply may have: a refusal's text of 60 KB, and what else is in them."""
OPTIONS = (
    # A batch of jobs may be larger than gRPC's default of 4 MiB; the default answers that with RESOURCE_EXHAUSTED,
    # which looks like backpressure and never ends.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # A refusal's text travels in the headers. In place of more than 8 KiB, its default, gRPC says RESOURCE_EXHAUSTED,
    # as a busy broker does: what is refused for good would be repeated until the lease ends.
    ("grpc.max_metadata_size", _STATUS_BYTES),
    ("grpc.absolute_max_metadata_size", _STATUS_BYTES),
    # After an outage, be back within a second: the default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # In spite of its name this is how long one try to connect may take, and TLS over a slow link takes several trips.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    # A name is looked up again at most so often: where its address changes, the default leaves us blind for 30 seconds.
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    # A dead connection is noticed within 55 seconds, also while streams are open and bring nothing: the default lets up
    # after two pings without data. Measured with grpcio 1.85: a ping has a time of its own, a minute, which goes before
    # the keepalive's.
    ("grpc.keepalive_time_ms", 45_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A full worker does not read its stream. What gRPC reads for it all the same is leased to us and runs nowhere, and
    # the gateway gives jobs to others only when it can send no more. Measured on 8.6, 1,500 small jobs for a stream
    # that nobody reads: all of them are taken by default (probing opens the window to megabytes), 736 without probing,
    # 368 with this window; the gateway itself holds 32 KiB of them in any case.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 16_384),
)
_PLAIN_TEXT = {"grpc": True, "http": True, "grpcs": False, "https": False}
"""By scheme: whether there is no TLS. Without a scheme, or with `dns:///`, the host decides."""
_FORMS = "write host:port, or one of grpc://, http:// (plain text), grpcs://, https:// (TLS) and dns:/// before it"
_SAAS_OAUTH = HttpUrl("https://login.cloud.camunda.io/oauth/token")
_SAAS_AUDIENCE = "zeebe.camunda.io"


def open_channel(settings: EngineSettings, *, token_timeout: float = TIMEOUT) -> grpc.aio.Channel:
    """Open the channel that the settings ask for: Camunda SaaS, OAuth, TLS or plain text.

    Plain text is chosen where `ZEEBE_INSECURE_CONNECTION` says so, the address has the scheme grpc or http, or
    nothing is said and the host is this machine; a token is never sent over it. Nothing is sent yet: a wrong
    address shows at the first call. The OAuth server has `token_timeout` seconds for an answer.

    Raises:
        ValueError: The settings lack something; the message names it.
        OSError: The certificate cannot be read.
    """
    insecure, target = plain_text(settings)
    token = oauth(settings, timeout=token_timeout)
    if token:
        if settings.cluster_id:
            target = f"{settings.cluster_id}.{settings.cluster_region}.zeebe.camunda.io:443"
        credentials = grpc.composite_channel_credentials(_tls(settings), grpc.metadata_call_credentials(token))
        return grpc.aio.secure_channel(target, credentials, _options(target))
    if insecure:
        return grpc.aio.insecure_channel(target, _options(target))
    return grpc.aio.secure_channel(target, _tls(settings), _options(target))


def plain_text(settings: EngineSettings) -> tuple[bool, str]:
    """Return whether the engine is spoken to without TLS, and its `host:port` without a scheme.

    Raises:
        ValueError: The address is none that we understand; the message says what would be.
    """
    scheme, target, host = _parts(settings.address)
    if settings.insecure is not None:
        return settings.insecure, target
    return _PLAIN_TEXT.get(scheme, host in LOOPBACK), target


def proxy_hint_of(settings: EngineSettings) -> str:
    """Return a sentence that names the proxy on the way to the engine, empty where there is none."""
    return grpc_proxy_hint(host_of(plain_text(settings)[1]))


def stub(channel: grpc.aio.Channel) -> "GatewayAsyncStub":
    """Return the gateway's calls over `channel`."""
    return GatewayStub(channel)  # type: ignore[return-value]


def _options(target: str) -> tuple[tuple[str, int], ...]:
    """Return the channel's options: gRPC would ask this machine, too, through the environment's proxy."""
    return (*OPTIONS, ("grpc.enable_http_proxy", 0)) if is_this_machine(host_of(target)) else OPTIONS


def host_of(target: str) -> str:
    """Return the host of a `host:port`."""
    return urlsplit(f"//{target}").hostname or ""


def _parts(address: str) -> tuple[str, str, str]:
    """Return an address's scheme in lower case, its `host:port`, and its host."""
    scheme, separator, rest = address.strip().partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("", scheme)
    if scheme == "dns":  # gRPC's own form: before the third slash would stand a name server.
        rest = rest[1:] if rest.startswith("/") else "?"
    elif separator and scheme not in _PLAIN_TEXT:
        message = f"the scheme {scheme}:// is not known; {_FORMS}"
        raise ValueError(message)
    url = urlsplit(f"//{rest}")
    host, port = url.hostname, url.port or 26500
    if not host or url.path not in {"", "/"} or url.query or url.fragment or url.username is not None:
        message = f"{address} is not an address; {_FORMS}"
        raise ValueError(message)
    return scheme, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", host


def oauth(settings: EngineSettings, *, timeout: float = TIMEOUT) -> ClientCredentials | None:
    """Return the token source that the settings ask for; None where they name no client.

    The OAuth server has `timeout` seconds for an answer.

    Raises:
        ValueError: The settings lack something; the message names it.
    """
    if not (settings.client_id and settings.client_secret):
        return None
    url, audience = settings.oauth_url, settings.audience
    if settings.cluster_id:
        url, audience = url or _SAAS_OAUTH, audience or _SAAS_AUDIENCE
    if not url or not audience:
        message = f"set {'CAMUNDA_TOKEN_AUDIENCE' if url else 'CAMUNDA_OAUTH_URL'}, as CAMUNDA_CLIENT_ID is set"
        raise ValueError(message)
    secret = settings.client_secret
    return ClientCredentials(url, settings.client_id, secret, audience, settings.scope, timeout=timeout)


def _tls(settings: EngineSettings) -> grpc.ChannelCredentials:
    roots = Path(settings.ca_certificate).read_bytes() if settings.ca_certificate else None
    return grpc.ssl_channel_credentials(root_certificates=roots)
