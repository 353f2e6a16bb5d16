"""Opens HTTP clients: this machine is never asked through a proxy, and a proxy that stands in the way is named."""

import os
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx


def open_client(url: str, **options: Any) -> httpx.AsyncClient:  # noqa: ANN401 - httpx's own keywords
    """Return a client for the server at `url`, its base URL; the environment's proxy is used for other machines only.

    A proxy that cannot be used fails each request with `httpx.ProxyError`, and not the start of a process.
    """
    options |= {"base_url": url, "trust_env": False}
    if "verify" not in options:
        options["verify"] = httpx.create_ssl_context()
    variable, proxy = _proxy(url)
    if not proxy:
        return httpx.AsyncClient(**options)
    try:
        return httpx.AsyncClient(proxy=proxy, **options)
    except (ImportError, ValueError, httpx.InvalidURL):
        why = f"{variable} names a proxy that is not supported"
    return httpx.AsyncClient(transport=_Unusable(why), **options)


def is_this_machine(host: str) -> bool:
    """Tell whether a host name or an address means this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def proxy_hint(url: str) -> str:
    """Return a sentence that names the proxy on the way to `url`, with a space before it; empty where there is none."""
    variable, proxy = _proxy(url)
    return _hint(variable, proxy, urlsplit(url).hostname or "") if proxy else ""


def grpc_proxy_hint(host: str) -> str:
    """Return the same for a gRPC channel, which reads variables of its own, in lower case."""
    variable = _first_set("grpc_proxy", "https_proxy", "http_proxy")
    excluded = os.environ.get(_first_set("no_grpc_proxy", "no_proxy"), "")
    hosts = [each.strip() for each in excluded.split(",") if each.strip()]
    if not variable or is_this_machine(host) or any(host.endswith(each) for each in hosts):
        return ""
    return _hint(variable, os.environ[variable], host)


class _Unusable(httpx.AsyncBaseTransport):
    """Fails every request."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ProxyError(self._why, request=request)


def _proxy(url: str) -> tuple[str, str]:
    """Return the environment name that names a proxy for `url`, and the proxy; two empty texts where none does."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_this_machine(host) or proxy_bypass(host):
        return "", ""
    proxies = getproxies()
    kind = next((each for each in (parts.scheme, "all") if proxies.get(each)), "")
    if not kind:
        return "", ""
    wanted = f"{kind}_proxy"
    # Where none is set, the system's own settings name it.
    variable = _first_set(wanted, wanted.upper()) or "The system's settings"
    proxy = proxies[kind]
    return variable, proxy if "://" in proxy else f"http://{proxy}"


def _first_set(*names: str) -> str:
    return next((name for name in names if os.environ.get(name)), "")


def _hint(variable: str, proxy: str, host: str) -> str:
    try:
        parts = urlsplit(proxy)
        where = (
            f"{parts.scheme}://{parts.hostname}:{parts.port}" if parts.port else f"{parts.scheme}://{parts.hostname}"
        )
    except ValueError:
        where = "that is not a URL"
    return f" {variable} names a proxy for {host}, {where}: correct that, or add {host} to NO_PROXY."
