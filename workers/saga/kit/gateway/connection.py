"""The gRPC channel to the engine, configured by the environment variables of Camunda's own clients."""

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
"""The names of this machine."""
_STATUS_BYTES = 64 * 1024
"""Bytes of headers in a response: a refusal's text of 60 KB, and the other headers."""
OPTIONS = (
    # A batch of jobs may be larger than gRPC's default of 4 MiB; the default answers that with RESOURCE_EXHAUSTED,
    # which looks like backpressure and never ends.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # A refusal's text travels in the headers. By default, if they exceed 8 KiB, gRPC reports RESOURCE_EXHAUSTED, the
    # status of a busy broker: a reply that is refused for good would be repeated until the lease ends.
    ("grpc.max_metadata_size", _STATUS_BYTES),
    ("grpc.absolute_max_metadata_size", _STATUS_BYTES),
    # After an outage, reconnect within a second: the default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Despite its name, this is the timeout of one try to connect; TLS over a slow network takes several round trips.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    # The shortest time between two DNS look-ups: with the default, a changed address is not seen for 30 seconds.
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    # A dead connection is noticed within 55 seconds, even if open streams bring nothing: by default pings end after two
    # without data. Measured with grpcio 1.85: a ping has a timeout of its own, a minute, and the keepalive's does not
    # replace it.
    ("grpc.keepalive_time_ms", 45_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A full worker does not read its stream. Jobs that gRPC still reads for it are leased to us and run nowhere, and
    # the gateway sends jobs to other workers only when it can send no more to us. Measured on 8.6 with 1,500 small jobs
    # for a stream that is not read: gRPC takes all of them by default (probing opens the window to megabytes), 736
    # without probing, 368 with this window; the gateway itself holds 32 KiB of them in any case.
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

    Plain text is chosen by `ZEEBE_INSECURE_CONNECTION`, by the scheme grpc or http in the address, or by default if the
    host is this machine; a token is never sent over it. Nothing is sent yet: a wrong address shows at the first call.
    The OAuth server has `token_timeout` seconds for an answer.

    Raises:
        ValueError: A setting is missing; the message names it.
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
    """Return whether the connection to the engine is without TLS, and its `host:port` without a scheme.

    Raises:
        ValueError: The address is not valid; the message lists the valid forms.
    """
    scheme, target, host = _parts(settings.address)
    if settings.insecure is not None:
        return settings.insecure, target
    return _PLAIN_TEXT.get(scheme, host in LOOPBACK), target


def proxy_hint_of(settings: EngineSettings) -> str:
    """Return a sentence that names the proxy in front of the engine; empty if there is none."""
    return grpc_proxy_hint(host_of(plain_text(settings)[1]))


def stub(channel: grpc.aio.Channel) -> "GatewayAsyncStub":
    """Return a stub for the gateway's calls over `channel`."""
    return GatewayStub(channel)  # type: ignore[return-value]


def _options(target: str) -> tuple[tuple[str, int], ...]:
    """Return the channel's options: by default gRPC uses the environment's proxy even for this machine."""
    return (*OPTIONS, ("grpc.enable_http_proxy", 0)) if is_this_machine(host_of(target)) else OPTIONS


def host_of(target: str) -> str:
    """Return the host of a `host:port`."""
    return urlsplit(f"//{target}").hostname or ""


def _parts(address: str) -> tuple[str, str, str]:
    """Return an address's scheme in lower case, its `host:port`, and its host."""
    scheme, separator, rest = address.strip().partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("", scheme)
    if scheme == "dns":  # gRPC's own form: a name server would stand before the third slash.
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
    """Return the token source that the settings ask for; None if they name no client.

    The OAuth server has `timeout` seconds for an answer.

    Raises:
        ValueError: A setting is missing; the message names it.
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
