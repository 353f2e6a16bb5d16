"""Who calls: each route is for one caller, which proves by its bearer token that it is the one.

A caller is named after its task type (`saga.common.tokens`), so the token of one command opens no other. The door
stands before everything that reads a request's body; whom it lets in, the route asks whether it is the one.
"""

import hmac
from collections.abc import Iterable

from fastapi import APIRouter, Request, Security, params
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.types import ASGIApp, Receive, Scope, Send

from saga.common.tokens import TokenMissingError, Tokens
from services.participant.headers import cleaned, malformed
from services.participant.limits import BOUNDS, Rate, turn_away
from services.participant.problems import FORBIDDEN, RATE_LIMITED, UNAUTHENTICATED, Problem

OPEN = frozenset({"/live", "/ready", "/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"})
"""The paths that need no token: probes and documentation."""
_SCHEME = b"bearer "


class _OneCaller(SecurityBase):
    """Lets in the caller that the route names; OpenAPI shows it as the role that the route needs."""

    scheme_name = "callerToken"
    model = HTTPBearer(
        description="The token of the caller that the operation names: a task type, or `read` for queries."
    )

    async def __call__(self, request: Request, named: SecurityScopes) -> None:
        [caller] = named.scopes
        if caller not in request.state.callers:
            raise Problem(FORBIDDEN, f"This is for the caller {caller}, and the token is another's.")
        request.state.caller = caller


_one_caller = _OneCaller()


def called_by(caller: str) -> params.Security:
    """Return the dependency that lets in nobody but `caller`: `dependencies=[called_by("ship-order")]`."""
    security: params.Security = Security(_one_caller, scopes=[caller])
    return security


def callers_of(router: APIRouter) -> list[str]:
    """Return who may call the routes of `router`.

    Raises:
        TypeError: A route does not say who calls it.
    """
    return sorted({caller_of(route) for route in router.routes if isinstance(route, APIRoute)})


def caller_of(route: APIRoute) -> str:
    """Return who may call `route`.

    Raises:
        TypeError: It does not say that, or names several.
    """
    named = [name for each in route.dependencies if isinstance(each, params.Security) for name in each.scopes or ()]
    if len(named) != 1:
        message = f'{route.path} must say who calls it: dependencies=[called_by("<task type>")]'
        raise TypeError(message)
    return named[0]


class Callers:
    """The callers of one service, told apart by their tokens."""

    def __init__(self, names: Iterable[str], tokens: Tokens) -> None:
        """Know the callers `names`; their tokens are looked up at each request, and so may change."""
        self._names = tuple(names)
        self._tokens = tokens

    def without_token(self) -> list[str]:
        """Return a message for each caller that has no token and so could never come in."""
        messages = []
        for name in self._names:
            try:
                self._tokens.current(name)
            except TokenMissingError as error:
                messages.append(str(error))
            except (OSError, UnicodeDecodeError) as error:
                messages.append(f"The token of {name} cannot be read: {type(error).__name__}.")
        return messages

    def recognise(self, authorization: bytes) -> frozenset[str]:
        """Return whose token the header's value holds: nobody's, or one caller's; more where several share one."""
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            return frozenset()
        token = authorization[len(_SCHEME) :].strip()
        # A token may be newer than what was last read: its caller can have learned of it a moment before us.
        return self._whose(token, look_again=False) or self._whose(token, look_again=True)

    def _whose(self, token: bytes, *, look_again: bool) -> frozenset[str]:
        # Each is compared, and each in constant time: how long it takes tells nothing of any of them.
        return frozenset(
            [
                name
                for name in self._names
                for accepted in self._tokens.accepted(name, look_again=look_again)
                if hmac.compare_digest(accepted.encode(), token)
            ]
        )


class Door:
    """Turns away who is unknown, and who knocks too often, before anything of a request's body is read."""

    def __init__(self, app: ASGIApp, callers: Callers, rate: Rate, linger: float = BOUNDS.linger) -> None:
        """Stand before `app`; what still comes of a refused request is dropped for `linger` seconds."""
        self._app = app
        self._callers = callers
        self._rate = rate
        self._linger = linger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or answer it."""
        scope = cleaned(scope)
        wrong = malformed(scope)
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        known = frozenset() if wrong else self._callers.recognise(authorization)
        scope.setdefault("state", {})["callers"] = known
        is_open = scope["path"] in OPEN
        if not self._rate.admits(*(sorted(known) or _stranger(scope, is_open=is_open))):
            problem = Problem(RATE_LIMITED, "More requests came than one caller may send. Send this one again later.")
            await turn_away(problem.response(), scope, receive, send, self._linger)
        elif wrong:
            await turn_away(wrong.response(), scope, receive, send, self._linger)
        elif not (known or is_open):
            detail = "Send Authorization: Bearer, and the token of the caller that this operation is for."
            answer = Problem(UNAUTHENTICATED, detail).response()
            answer.headers["WWW-Authenticate"] = "Bearer"
            await turn_away(answer, scope, receive, send, self._linger)
        else:
            await self._app(scope, receive, send)


def _stranger(scope: Scope, *, is_open: bool) -> tuple[str, ...]:
    """Name who has no token by its address; a probe counts for itself, or somebody else would make it fail."""
    address = scope["client"][0] if scope.get("client") else "unknown"
    return ("address", address, scope["path"] if is_open else "")
