"""Who may talk to the engine: token, Host, Origin and content type, for REST, management and gRPC.

A browser's page can send requests to this machine's ports without the user's knowledge. It cannot choose the Host (so a
name that was rebound to this machine is seen), nor hide its Origin; and a form cannot send JSON.
"""

import hmac
import ipaddress
import json
import socket
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import CannotStart

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_MULTIPART_PATH = "/v2/deployments"
"""The one path that takes multipart/form-data."""


class AccessError(CannotStart):
    """The engine must not start like this; the message says what to add."""


@dataclass(frozen=True)
class Refusal:
    """A request that is not let through."""

    status: HTTPStatus
    detail: str


@dataclass(frozen=True)
class Access:
    """The rules of one engine."""

    hosts: frozenset[str] = frozenset()
    """Names, in lower case, that a request may be addressed to besides this machine's own."""
    tokens: tuple[str, ...] = ()
    """What an Authorization header may say: `bearer TOKEN` or `basic CREDENTIALS`; empty: none is needed."""

    def knows(self, authorization: str) -> bool:
        """Tell whether the value of an Authorization header is accepted."""
        scheme, _, credentials = authorization.partition(" ")
        given = f"{scheme.lower()} {credentials.strip()}".encode()
        # Every token is compared, in constant time: how long it takes tells nothing.
        return any([hmac.compare_digest(given, each.encode()) for each in self.tokens])  # noqa: C419 - see above

    def refusal(self, scope: Scope, *, needs_token: bool = True) -> Refusal | None:
        """Say why a request is not let through; None if it is."""
        headers: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value.decode("latin-1"))
        hosts = headers.get(b"host", [])
        if len(hosts) != 1:
            return Refusal(HTTPStatus.BAD_REQUEST, "A request names one Host (RFC 9112, section 3.2).")
        [authority] = hosts
        if not self._is_ours(authority, scope.get("server")):
            detail = f"This engine is not {authority!r}. Start it with --allowed-host to let it be called so."
            return Refusal(HTTPStatus.MISDIRECTED_REQUEST, detail)
        if _is_foreign(headers, authority):
            return Refusal(HTTPStatus.FORBIDDEN, "Pages of other origins may not call this engine.")
        if self.tokens and needs_token and not self.knows(",".join(headers.get(b"authorization", []))):
            return Refusal(HTTPStatus.UNAUTHORIZED, "A token is needed: Authorization: Bearer TOKEN, or Basic.")
        return _body_refusal(scope, headers)

    def _is_ours(self, authority: str, server: tuple[str, int | None] | None) -> bool:
        host = _host(authority)
        if not host:
            return False
        # The address that this connection came to: a name can be rebound, an address cannot.
        own = {server[0].lower()} if server else set()
        return host in self.hosts | own or is_loopback(host) or host == socket.gethostname().lower()


class AccessMiddleware:
    """Answers what `Access` does not let through, as problem+json."""

    def __init__(self, app: ASGIApp, access: Access, *, open_paths: Iterable[str] = ()) -> None:
        """Guard `app`; `open_paths` need no token."""
        self._app = app
        self._access = access
        self._open = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] == "http":
            refusal = self._access.refusal(scope, needs_token=scope["path"] not in self._open)
            if refusal is not None:
                await _answer(refusal, scope["path"], send)
                return
        await self._app(scope, receive, send)


def access_rules(host: str, token_file: Path | None, allowed_hosts: Iterable[str], *, insecure_host: bool) -> Access:
    """Return the rules of an engine that listens on `host`.

    Each line of `token_file` is a bearer token, or `user:password` for Basic.

    Raises:
        AccessError: Others could reach it without a token, or the file has none.
    """
    if not is_loopback(host) and token_file is None and not insecure_host:
        message = f"--host {host} lets other machines in. Add --token-file FILE, or --insecure-host to do without."
        raise AccessError(message)
    names = frozenset(each.lower() for each in (*allowed_hosts, host))
    return Access(names, read_tokens(token_file) if token_file else ())


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address is this machine's loopback."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_tokens(file: Path) -> tuple[str, ...]:
    """Return what an Authorization header may say, as `Access.tokens`, for each line of a token file.

    Raises:
        AccessError: The file cannot be read, or is empty.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        message = f"The token file {file} cannot be read: {error}"
        raise AccessError(message) from None
    tokens = tuple(
        f"basic {b64encode(line.encode()).decode()}" if ":" in line else f"bearer {line}" for line in lines if line
    )
    if not tokens:
        message = f"The token file {file} is empty: write a token, or user:password, in each line."
        raise AccessError(message)
    return tokens


def _host(authority: str) -> str:
    """Return the host of `host:port` in lower case; empty where it is not well formed."""
    try:
        return (urlsplit(f"//{authority}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_foreign(headers: dict[bytes, list[str]], authority: str) -> bool:
    """Tell whether a page of another origin sent the request."""
    if "cross-site" in headers.get(b"sec-fetch-site", []):
        return True
    return any(urlsplit(origin).netloc.lower() != authority.lower() for origin in headers.get(b"origin", []))


def _body_refusal(scope: Scope, headers: dict[bytes, list[str]]) -> Refusal | None:
    has_body = headers.get(b"content-length", ["0"]) != ["0"] or b"transfer-encoding" in headers
    types = headers.get(b"content-type", [])
    if not types and not has_body:
        return None
    kind = ",".join(types).partition(";")[0].strip().lower()
    expected = "multipart/form-data" if scope["path"] == _MULTIPART_PATH else "application/json"
    if kind == expected:
        return None
    return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Expected a body of type {expected}, but it was {kind!r}.")


async def _answer(refusal: Refusal, path: str, send: Send) -> None:
    status = refusal.status
    problem = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": refusal.detail,
        "instance": path,
    }
    body = json.dumps(problem).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    if status is HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b'Bearer, Basic realm="saga engine"'))
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
