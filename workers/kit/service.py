"""The way to a participant: one HTTP command at a time, each answer told apart by the outcomes table.

The worker never retries by itself here: the engine does, from its persisted state, with the same key.
"""

import asyncio
from collections.abc import Coroutine
from http import HTTPStatus
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from workers.kit.outcomes import Broken, Declined, FieldError, Unavailable

_Answer = TypeVar("_Answer", bound=BaseModel)

_TRY_AGAIN = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_REFUSAL = frozenset({HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY})
_IN_PROGRESS = "COMMAND_IN_PROGRESS"
_NOT_BUSINESS = frozenset({"IDEMPOTENCY_KEY_REUSED", "COMMAND_FENCED", "REQUEST_INVALID"})
"""Refusals of the barrier and of the HTTP layer: 409 and 422 as well, but never a reason to compensate."""


_RETRY_AFTER_MOST = 300
"""Seconds: whoever says more is asked again after these."""
_RETRY_AFTER_DIGITS = 9


class Problem(BaseModel):
    """What we read of an RFC 9457 problem document; everything else in it is the participant's own."""

    code: str
    detail: str = ""
    title: str = ""
    errors: list[FieldError] = []


class Service:
    """One participant, bound to the job at hand: every command carries that job's idempotency key."""

    def __init__(self, name: str, http: httpx.AsyncClient, idempotency_key: str) -> None:
        """`http` has the participant's base URL and the deadlines; the key is `<saga id>/<task type>`."""
        self._name = name
        self._http = http
        self._key = idempotency_key

    async def put(self, path: str, answer: type[_Answer], body: BaseModel | None = None) -> _Answer:
        """Do: PUT `body` to `path` and read the answer; without a body, the URL says it all.

        Raises:
            Declined: The participant refused for a business reason.
            Unavailable: It could not be asked, or its answer did not arrive.
            Broken: It answered something that nobody expected.
        """
        content = body.model_dump_json(by_alias=True, exclude_none=True) if body else "{}"
        return await self._command("PUT", path, answer, content)

    async def delete(self, path: str, answer: type[_Answer]) -> _Answer:
        """Undo: DELETE `path` and read the answer; raises as `put` does."""
        return await self._command("DELETE", path, answer, None)

    async def _command(self, method: str, path: str, answer: type[_Answer], content: str | None) -> _Answer:
        # The key is a structured-field string (RFC 8941): the IETF Idempotency-Key draft asks for that.
        headers = {"Idempotency-Key": f'"{self._key}"', "Content-Type": "application/json"}
        try:
            response = await self._http.request(method, path, content=content, headers=headers)
        except httpx.TransportError as error:
            # A timeout or a reset leaves open whether the command took effect: only the same key may ask again.
            message = f"{self._name} could not be asked ({type(error).__name__})."
            raise Unavailable(message) from error
        if response.is_success:
            return self._read(response, answer)
        raise self._error(response)

    def _read(self, response: httpx.Response, answer: type[_Answer]) -> _Answer:
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
            message = (
                f"{self._name} answered {response.status_code} with a body that is no {answer.__name__} ({fields})."
            )
            raise Broken(message) from None

    def _error(self, response: httpx.Response) -> Declined | Unavailable | Broken:
        status = response.status_code
        problem = _problem(response)
        code = problem.code if problem else None
        if status in _TRY_AGAIN or (status == HTTPStatus.CONFLICT and code == _IN_PROGRESS):
            return Unavailable(f"{self._name} answered {status} {code or ''}".rstrip() + ".", _retry_after(response))
        if problem and status in _REFUSAL and code not in _NOT_BUSINESS:
            return Declined(problem.code, problem.detail or problem.title, tuple(problem.errors))
        # Its code, and not its free text, which may quote the request.
        said = f" {code}" if problem else ""
        return Broken(f"{self._name} answered {status}{said}, which this step does not expect. Mend it, then retry.")


class BlockingService:
    """A participant for a step that runs on a thread: the same commands, each of which waits for its answer."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        """Send the commands of `service` from its event loop `loop`."""
        self._service = service
        self._loop = loop

    def put(self, path: str, answer: type[_Answer], body: BaseModel | None = None) -> _Answer:
        """Do, as `Service.put`."""
        return self._wait(self._service.put(path, answer, body))

    def delete(self, path: str, answer: type[_Answer]) -> _Answer:
        """Undo, as `Service.delete`."""
        return self._wait(self._service.delete(path, answer))

    def _wait(self, command: Coroutine[None, None, _Answer]) -> _Answer:
        return asyncio.run_coroutine_threadsafe(command, self._loop).result()


def _problem(response: httpx.Response) -> Problem | None:
    if not response.headers.get("Content-Type", "").startswith("application/problem+json"):
        return None
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        return None


def _retry_after(response: httpx.Response) -> float | None:
    """Read Retry-After in its form of seconds (RFC 9110, 10.2.3), up to a bound; our participants send no dates."""
    value = response.headers.get("Retry-After", "")
    if not (value.isascii() and value.isdecimal()):
        return None
    return float(min(int(value[:_RETRY_AFTER_DIGITS]), _RETRY_AFTER_MOST))
