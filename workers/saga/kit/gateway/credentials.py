"""The token that the engine asks for: fetched once for all calls, renewed before it ends, and told to nobody else.

What is logged and raised here names the OAuth server's host and status, never the secret, a token or an answer's body.
"""

import asyncio
import threading
import time
from dataclasses import dataclass, field
from weakref import WeakSet

import grpc
import httpx
import structlog
from pydantic import BaseModel, Field, HttpUrl, SecretStr, ValidationError

from saga.common.http_clients import open_client, proxy_hint
from saga.common.responses import fetch

MAX_AGE = 300.0
"""Seconds after which a token is renewed, however long it would last; one that is refused is renewed at once."""
_RENEWED_AFTER = 0.8
_USED_FOR = 0.95
"""Parts of its life: clocks differ, and a call with it takes time to arrive."""
TIMEOUT = 4.0
"""Seconds for one try to get a token, once the name is looked up: less than a call has, so that it can say why."""
RETRY_INTERVAL = 2.0
"""Seconds from one try to get a token to the next, however many calls wait for one, or were refused with one."""
_REMIND = 60.0
"""Seconds after which it is logged again that tokens are refused."""
_MARK = "no token: "
"""By this a call's details are known to be ours; gRPC puts words of its own before it."""

_log = structlog.get_logger(__name__)


class NoToken(Exception):
    """A call cannot be made for want of a token; gRPC ends it with UNAVAILABLE, and it was not sent."""

    def __init__(self, why: str) -> None:
        """`why` is shown to people."""
        super().__init__(_MARK + why)


def why_no_token(error: BaseException | None) -> str | None:
    """Return why the call that ended with `error` had no token; None where that was not its trouble."""
    details = error.details() if isinstance(error, grpc.aio.AioRpcError) else None
    return (details or "").partition(_MARK)[2] or None


def code_of(error: grpc.aio.AioRpcError) -> grpc.StatusCode:
    """Return the status of a call that failed; UNAUTHENTICATED spends the tokens of this process.

    Whether a token is good is judged by the one who checks it, and never by its age: it may have been revoked.
    """
    if why_no_token(error):  # It was not even sent; gRPC calls that UNAVAILABLE.
        return grpc.StatusCode.UNAUTHENTICATED
    code = error.code()
    if code is grpc.StatusCode.UNAUTHENTICATED:
        for credentials in list(_in_use):
            credentials.refused()
    return code


class _Grant(BaseModel):
    """What we read of the OAuth server's answer (RFC 6749, 5.1)."""

    access_token: str = Field(pattern="^[!-~]+$", repr=False)
    expires_in: float = Field(300.0, gt=0.0)
    """Seconds; a server need not say."""


@dataclass(frozen=True, slots=True)
class _Token:
    """A token, and until when of the monotonic clock it is good."""

    bearer: str = field(repr=False)
    renewal: float
    end: float
    since: float = 0.0
    """When it was asked for."""


class ClientCredentials(grpc.AuthMetadataPlugin):
    """Signs calls with a token of the client credentials grant.

    gRPC calls it for each call on a thread that it starts for that, so waiting here holds up no event loop.
    """

    def __init__(  # noqa: PLR0913 - the grant's own parameters
        self,
        url: HttpUrl,
        client_id: str,
        secret: SecretStr,
        audience: str,
        scope: str | None,
        *,
        timeout: float = TIMEOUT,
    ) -> None:
        """Ask the OAuth server at `url`, at the first call; it has `timeout` seconds for an answer."""
        self._url = url
        self._timeout = timeout
        self._secret = secret
        self._form = {"grant_type": "client_credentials", "client_id": client_id, "audience": audience}
        if scope:
            self._form["scope"] = scope
        self._trust = httpx.create_ssl_context()
        self._renewing = threading.Lock()
        self._token = _Token("", 0.0, 0.0)
        self._why: str | None = None
        self._next_try = 0.0
        self._spent: _Token | None = None
        """The last one that was refused; it is used on only where there is no other one."""
        self._told = -_REMIND
        """When the log said last that a token was refused."""
        _in_use.add(self)

    def refused(self) -> None:
        """Note that the token at hand was refused: the next call asks for another one, at most every two seconds."""
        now, token = time.monotonic(), self._token
        # Calls that were on their way with the one before are refused after it was replaced.
        if token is self._spent or not token.bearer or now < token.since + RETRY_INTERVAL:
            return
        self._spent = token
        if now >= self._told + _REMIND:
            _log.warning("token refused, another one is asked for", server=self._url.host)
            self._told = now

    def __call__(self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        """Sign one call, with the token at hand while it is good: only who has none waits for the OAuth server."""
        del context
        token = self._token
        if time.monotonic() < token.end and token is not self._spent:
            _sign(callback, token)
            # The call is on its way, and the thread is still ours.
            if time.monotonic() >= token.renewal and self._renewing.acquire(blocking=False):
                try:
                    self._renew()
                finally:
                    self._renewing.release()
            return
        with self._renewing:
            self._renew()
            token, why = self._token, self._why
        if why is None or time.monotonic() < token.end:
            _sign(callback, token)
        else:
            callback((), NoToken(why))

    def bearer(self) -> str:
        """Return an `Authorization` header's value, for calls that are not gRPC's.

        It waits for the OAuth server where there is no good token, so call it on a thread.

        Raises:
            NoToken: The OAuth server gives none.
        """
        now, token = time.monotonic(), self._token
        is_good = now < token.end and token is not self._spent
        is_old = now >= token.renewal or token is self._spent
        if is_old and self._renewing.acquire(blocking=not is_good):
            try:
                self._renew()
            finally:
                self._renewing.release()
        token, why = self._token, self._why
        if time.monotonic() < token.end:
            return token.bearer
        raise NoToken(why or "the one at hand has ended")

    def _renew(self) -> None:
        """Get a new token, unless another call just did or just failed to; the caller holds the lock."""
        begin = time.monotonic()
        renewal = 0.0 if self._token is self._spent else self._token.renewal
        if begin < max(renewal, self._next_try):
            return
        try:
            grant = asyncio.run(self._ask())
        except Exception as error:  # noqa: BLE001 - whatever it was, there is no token, and its text may quote one
            why = f"{self._url.host} {_said(error, self._timeout)}"
            if isinstance(error, httpx.RequestError | TimeoutError):
                why += proxy_hint(str(self._url)).rstrip(".")
            if why != self._why:
                _log.warning("no new token", why=why)
            self._why = why
            self._next_try = time.monotonic() + RETRY_INTERVAL
            return
        if self._why is not None:
            _log.info("new token again", server=self._url.host)
        self._why = None
        life = grant.expires_in
        self._token = _Token(
            bearer=f"Bearer {grant.access_token}",
            renewal=begin + min(_RENEWED_AFTER * life, MAX_AGE),
            end=begin + _USED_FOR * life,
            since=begin,
        )

    async def _ask(self) -> _Grant:
        form = {**self._form, "client_secret": self._secret.get_secret_value()}
        # Asynchronous for the sake of one deadline over all: httpx's own timeouts begin again with each byte.
        url = str(self._url)
        async with asyncio.timeout(self._timeout), open_client(url, verify=self._trust, timeout=None) as http:
            answer = await fetch(http, "POST", url, data=form)
        return _Grant.model_validate_json(answer.raise_for_status().content)


_in_use: WeakSet[ClientCredentials] = WeakSet()
"""The credentials of this process: it speaks to one cluster."""


def _sign(callback: grpc.AuthMetadataPluginCallback, token: _Token) -> None:
    callback((("authorization", token.bearer),), None)


def _said(error: Exception, timeout: float) -> str:
    match error:
        case httpx.HTTPStatusError():
            return f"answers {error.response.status_code}"
        case ValidationError():
            return "answers with something that is no token"
        case TimeoutError():
            return f"does not answer within {timeout:.0f} seconds"
        case _:
            return f"cannot be asked ({type(error).__name__})"
