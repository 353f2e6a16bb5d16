"""Camunda 8's REST API (v2) over HTTP: credentials, pages, and errors that name the variable to set."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

import httpx
from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from saga.clients.environment import read
from saga.clients.failure import Failure, bad_input
from saga.common.http_clients import open_client, proxy_hint
from saga.common.problems import is_problem, problem_of
from saga.common.responses import MOST, fetch
from saga.kit.gateway.connection import LOOPBACK, oauth
from saga.kit.gateway.credentials import ClientCredentials, NoToken
from saga.kit.settings import EngineSettings

PAGE = 500
"""Items of one page of a search."""
_MOST = 16 * MOST
"""Bytes of one answer: a page has the values of variables, a definition its whole diagram."""
_TIMEOUT = 10.0
"""Seconds for one answer."""
_TRIES = 2
"""Of a question: a server may close a kept connection just when it is used again. A command is sent once."""
_BASIC = "CAMUNDA_BASIC_AUTH_USERNAME and CAMUNDA_BASIC_AUTH_PASSWORD"
_OAUTH = "CAMUNDA_CLIENT_ID and CAMUNDA_CLIENT_SECRET"
_REFUSED = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN})
_REFUSED_COMMAND = frozenset({httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND, httpx.codes.CONFLICT})

_Item = TypeVar("_Item", bound=BaseModel)


class BasicAuthSettings(BaseSettings):
    """User name and password for a REST API that asks for them, under the names that Camunda's clients use."""

    model_config = SettingsConfigDict(env_prefix="CAMUNDA_BASIC_AUTH_", extra="ignore", env_ignore_empty=True)

    username: str | None = None
    password: SecretStr | None = None


class _PageInfo(BaseModel):
    total: int = Field(alias="totalItems")
    is_capped: bool = Field(True, alias="hasMoreTotalItems")  # noqa: FBT003 - pydantic's default, not a flag of ours
    """Whether there may be more than `total`: a cluster stops counting at 10,000."""
    end: str | None = Field(None, alias="endCursor")


class _Page(BaseModel):
    items: list[Any]
    info: _PageInfo = Field(alias="page")


class Bearer(httpx.Auth):
    """Signs requests with a token of the client credentials grant."""

    def __init__(self, credentials: ClientCredentials) -> None:
        """Ask `credentials` for a token at each request; they keep it while it is good."""
        self._credentials = credentials

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign one request.

        Raises:
            NoToken: There is no token.
        """
        request.headers["Authorization"] = self._credentials.bearer()
        yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sign one request; a token is fetched on a thread.

        Raises:
            NoToken: There is no token.
        """
        request.headers["Authorization"] = await asyncio.to_thread(self._credentials.bearer)
        yield request

    def refused(self) -> None:
        """Note that the token was refused; the next request asks for another one."""
        self._credentials.refused()


class RestClient:
    """Asks one cluster; nothing is sent until the first question."""

    def __init__(self, base_url: str, *, page_size: int = PAGE) -> None:
        """`base_url` is the address before `/v2`; credentials come from the environment.

        Searches ask for `page_size` items at a time.

        Raises:
            Failure: The environment names half of the credentials, or a token would leave in plain text.
        """
        self._auth, self._variables = _credentials(base_url)
        self._page_size = page_size
        base_url = base_url.rstrip("/").removesuffix("/v2")
        self._http = open_client(base_url, timeout=_TIMEOUT, auth=self._auth)

    @property
    def address(self) -> str:
        """The base URL, without credentials in it."""
        return str(self._http.base_url).rstrip("/")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str) -> httpx.Response | None:
        """Return what is at `path`; None where the cluster answers that there is no such thing.

        Raises:
            Failure: The cluster does not answer, or refuses.
        """
        response = await self._send("GET", path, tries=_TRIES)
        if response.status_code == httpx.codes.NOT_FOUND and is_problem(response):
            return None
        return self._checked(response)

    async def item(self, path: str, model: type[_Item]) -> _Item | None:
        """Return the item at `path`; None where there is none, or none is shown yet.

        Raises:
            Failure: The cluster does not answer, or refuses, or answers with something else.
        """
        response = await self.get(path)
        if response is None:
            return None
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            self._not_valid("GET", path, error)

    async def command(self, path: str, body: object) -> int:
        """Send a command; return the status: of a success, or with which the cluster itself refuses this command.

        What it says of a refusal is not returned, for it may repeat what was sent.

        Raises:
            Failure: The cluster does not answer, or refuses us, or fails.
        """
        response = await self._send("POST", path, body)
        if response.status_code in _REFUSED_COMMAND and is_problem(response):
            return response.status_code
        return self._checked(response).status_code

    async def pages(
        self, path: str, model: type[_Item], filters: Mapping[str, object], sort: Sequence[str], query: str = ""
    ) -> AsyncIterator[list[_Item]]:
        """Yield all items that match `filters`, page by page, in ascending order of the fields `sort`.

        Raises:
            Failure: The cluster does not answer, or refuses, or answers with something else.
        """
        order = [{"field": field, "order": "ASC"} for field in sort]
        body: dict[str, Any] = {"filter": filters, "sort": order, "page": {"limit": self._page_size}}
        seen, cursors = 0, {None, ""}
        while True:
            page = await self._search(path + query, body)
            try:
                yield [model.model_validate(item) for item in page.items]
            except ValidationError as error:
                self._not_valid("POST", path, error)
            seen += len(page.items)
            is_all = seen >= page.info.total and not page.info.is_capped
            if is_all or not page.items or page.info.end in cursors:
                return
            cursors.add(page.info.end)
            body["page"] = {"limit": self._page_size, "after": page.info.end}

    async def count(self, path: str, filters: Mapping[str, object]) -> int:
        """Return how many items match `filters`; a cluster stops counting at 10,000.

        Raises:
            Failure: The cluster does not answer, or refuses, or answers with something else.
        """
        return (await self._search(path, {"filter": filters, "page": {"limit": 1}})).info.total

    async def _search(self, path: str, body: object) -> _Page:
        response = self._checked(await self._send("POST", path, body, tries=_TRIES))
        try:
            return _Page.model_validate_json(response.content)
        except ValidationError as error:
            self._not_valid("POST", path, error)

    async def _send(self, method: str, path: str, body: object = None, *, tries: int = 1) -> httpx.Response:
        try:
            response = await self._fetch(method, path, body, tries)
            if response.status_code == httpx.codes.UNAUTHORIZED and isinstance(self._auth, Bearer):
                self._auth.refused()
                response = await self._fetch(method, path, body, tries)
        except NoToken as error:
            message = f"There is no token for the cluster's REST API: {error}. {_OAUTH} say for whom."
            raise Failure(message) from error
        except httpx.HTTPError as error:
            message = (
                f"The cluster's REST API at {self.address} does not answer ({type(error).__name__}). "
                f"Start it with `saga up`, or set CAMUNDA_REST_ADDRESS.{proxy_hint(self.address)}"
            )
            raise Failure(message) from error
        return response

    async def _fetch(self, method: str, path: str, body: object, tries: int) -> httpx.Response:
        while True:
            tries -= 1
            try:
                return await fetch(self._http, method, path, most=_MOST, json=body)
            except (httpx.ReadError, httpx.RemoteProtocolError):
                if not tries:
                    raise

    def _checked(self, response: httpx.Response) -> httpx.Response:
        """Return a response that is a success.

        Raises:
            Failure: It is none.
        """
        if response.is_success:
            return response
        status = response.status_code
        if status in _REFUSED:
            message = f"The cluster's REST API at {self.address} refuses us ({status}). {self._variables}"
            raise Failure(message)
        request = response.request
        message = (
            f"The cluster's REST API at {self.address} answers {request.method} {request.url.path} with {status}"
            f"{_detail(response)}. CAMUNDA_REST_ADDRESS says where it is."
        )
        raise Failure(message)

    def _not_valid(self, method: str, path: str, error: ValidationError) -> NoReturn:
        message = (
            f"The cluster's REST API at {self.address} answers {method} {path} with something that is not a valid "
            "answer of the v2 API. CAMUNDA_REST_ADDRESS says where it is."
        )
        raise Failure(message) from error


def _credentials(base_url: str) -> tuple[httpx.Auth | None, str]:
    """Return how requests are signed, and which variables to look at when that is refused."""
    try:
        token = oauth(read(EngineSettings))
    except ValueError as error:
        message = f"The cluster cannot be asked: {error}."
        raise bad_input(message) from None
    if token is not None:
        url = httpx.URL(base_url)
        if url.scheme != "https" and url.host not in LOOPBACK:
            message = f"CAMUNDA_REST_ADDRESS: {base_url} is plain text, and a token is not sent over it. Use https."
            raise bad_input(message)
        return Bearer(token), f"{_OAUTH} say for whom."
    basic = read(BasicAuthSettings)
    if basic.username is None and basic.password is None:
        return None, f"Set {_BASIC}, or {_OAUTH}."
    if basic.username is None or basic.password is None:
        missing = "USERNAME" if basic.username is None else "PASSWORD"
        message = f"CAMUNDA_BASIC_AUTH_{missing} is not set. Set it: {_BASIC} belong together."
        raise bad_input(message)
    return httpx.BasicAuth(basic.username, basic.password.get_secret_value()), f"Check {_BASIC}."


def _detail(response: httpx.Response) -> str:
    problem = problem_of(response)
    return f" ({problem.detail})" if problem and problem.detail else ""
