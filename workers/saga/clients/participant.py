"""A participant as the commands and the reconciler ask it, beside the steps: once, and what is wrong is named."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from saga.clients.addresses import Addresses
from saga.clients.failure import Failure
from saga.common.http_clients import open_client, proxy_hint
from saga.common.problems import problem_of
from saga.common.responses import MOST, fetch
from saga.common.tokens import TokenMissingError, Tokens

TIMEOUT = httpx.Timeout(10.0, connect=2.0)
"""Seconds that a participant has for an answer."""
_MOST = 8 * MOST
"""Bytes of an answer: a page of effects, or of whole orders, and not just a receipt."""
_Answer = TypeVar("_Answer", bound=BaseModel)


class Participant:
    """One of the services that take part in the saga."""

    def __init__(self, name: str, http: httpx.AsyncClient, tokens: Tokens) -> None:
        """`http` has its base URL and deadlines; `tokens` has those of every caller that asks through this."""
        self.name = name
        self._http = http
        self._tokens = tokens

    @classmethod
    @asynccontextmanager
    async def at(cls, addresses: Addresses, name: str, tokens: Tokens) -> AsyncIterator[Self]:
        """Open the way to a participant; it is asked nothing yet."""
        async with open_client(addresses.service(name), timeout=TIMEOUT) as http:
            yield cls(name, http, tokens)

    async def read(self, caller: str, path: str, model: type[_Answer], **query: str | float) -> _Answer:
        """Read what is at `path`.

        Raises:
            Failure: As `ask` does, or because the answer is not what `model` says; nothing of it is repeated.
        """
        answer = await self.ask(caller, "GET", path, params=query)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError:
            message = f"{self._named} answers what is not understood here. Is it that service, of this version?"
            raise Failure(message) from None

    async def ask(self, caller: str, method: str, path: str, **request: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own keywords
        """Ask as `caller`, and return the answer where it does what it is asked for.

        Raises:
            Failure: There is no token, or it does not answer, or it refuses.
        """
        try:
            headers = self._tokens.authorization(caller)
            answer = await fetch(self._http, method, path, most=_MOST, headers=headers, **request)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                # It may know a newer one already, and has not looked at what it was sent.
                newer = self._tokens.authorization(caller, look_again=True)
                if newer != headers:
                    answer = await fetch(self._http, method, path, most=_MOST, headers=newer, **request)
        except TokenMissingError as error:
            raise Failure(str(error)) from None
        except httpx.HTTPError as error:
            message = f"{self._named} does not answer ({type(error).__name__}).{proxy_hint(str(self._http.base_url))}"
            raise Failure(message) from error
        if answer.is_success:
            return answer
        problem = problem_of(answer)
        said = f" {problem.code}: {problem.detail}" if problem and problem.code is not None else "."
        message = f"{self._named} answers {answer.status_code}{said}"
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            message += f" It knows another token of the caller {caller}: set TOKENS (docs/participants.md)."
        raise Failure(message)

    @property
    def _named(self) -> str:
        return f"{self.name} at {self._http.base_url}"
