"""A participant's HTTP API: one command at a time; each response becomes a receipt or one of the outcomes.

Nothing is retried here: the engine retries, from its persisted state, with the same idempotency key.
"""

import asyncio
import re
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from saga.common.problems import field_path, problem_of
from saga.common.responses import fetch, retry_after, why_unread
from saga.kit.definition.handler import Handler
from saga.kit.definition.job import Job
from saga.kit.definition.outcomes import Broken, Declined, Unavailable
from saga.kit.definition.transient import is_transient

_Answer = TypeVar("_Answer", bound=BaseModel)

_REFUSAL = frozenset({HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY})
_IN_PROGRESS = "COMMAND_IN_PROGRESS"
_NOT_BUSINESS = frozenset({"IDEMPOTENCY_KEY_REUSED", "COMMAND_FENCED", "ANSWER_FORGOTTEN", "REQUEST_INVALID"})
"""Refusals of the barrier and of the HTTP layer: 409 and 422 as well, but never a reason to compensate."""
_UNAUTHORIZED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
"""Plain segments (RFC 3986, unreserved characters), none of them `.` or `..`: nothing else is sent to a participant."""
_KEY = re.compile(r"[!#-\[\]-~]+")
"""The characters of a structured-field string (RFC 8941) without escapes, except the space."""
_RETRY_AFTER_MOST = 300
"""Seconds: a longer wish is shortened to these."""


class TokenOf(Protocol):
    """Looks up the token of a task type."""

    def __call__(self, task_type: str, *, look_again: bool = False) -> str:
        """Return the token; with `look_again`, it is not taken from a cache.

        Raises:
            Broken: There is none.
        """


def no_token(task_type: str, *, look_again: bool = False) -> str:
    """Look up no token: for a worker whose steps call no participant.

    Raises:
        Broken: Always.
    """
    del look_again
    message = f"There is no token for {task_type}: this worker was made without any."
    raise Broken(message)


class Service:
    """One participant, bound to one job: every command carries that job's idempotency key."""

    def __init__(self, name: str, http: httpx.AsyncClient, idempotency_key: str, origin: str, token: TokenOf) -> None:
        """Call one participant for one job.

        Args:
            name: The participant's name.
            http: Has the participant's base URL and the timeouts.
            idempotency_key: `<saga id>/<task type>`.
            origin: The job's origin; the participant records it, so that the reconciler can trace the effect.
            token: Looks up the token for the participant. It is called for each command, so that a token may change
                while the worker runs.
        """
        self._name = name
        self._http = http
        self._key = idempotency_key
        self._origin = origin
        self._token = token

    async def put(self, path: str, answer: type[_Answer], body: BaseModel | None = None) -> _Answer:
        """Do: PUT `body` to `path` and read the response; the body may be left out.

        Raises:
            Declined: The participant refused for a business reason.
            Unavailable: It could not be reached, or its response did not arrive.
            Broken: The response is unexpected, there is no token, or `path` is not made of plain segments: a process
                variable in it must not lead elsewhere.
        """
        content = body.model_dump_json(by_alias=True, exclude_none=True) if body else "{}"
        return await self._command("PUT", path, answer, content)

    async def delete(self, path: str, answer: type[_Answer]) -> _Answer:
        """Undo: DELETE `path` and read the response; raises as `put` does."""
        return await self._command("DELETE", path, answer, None)

    async def _command(self, method: str, path: str, answer: type[_Answer], content: str | None) -> _Answer:
        if not (_PATH.fullmatch(path) and _KEY.fullmatch(self._key)):
            message = (
                f"{self._name} is not asked: a variable in the path or in the key of this command holds more than "
                "letters, digits, '-', '.', '_' and '~'. Let the step's model refuse it, or mend it, then retry."
            )
            raise Broken(message)
        caller = self._key.rpartition("/")[2]
        token = self._token(caller)
        response = await self._send(method, path, content, token)
        if response.status_code == HTTPStatus.UNAUTHORIZED and (newer := self._token(caller, look_again=True)) != token:
            # The participant knows a newer token already; it has not processed the command.
            response = await self._send(method, path, content, newer)
        if response.is_success:
            return self._read(response, answer)
        raise self._error(response)

    async def _send(self, method: str, path: str, content: str | None, token: str) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            # A structured-field string (RFC 8941), as the IETF Idempotency-Key draft requires.
            "Idempotency-Key": f'"{self._key}"',
            "Saga-Origin": self._origin,
        }
        try:
            # Neither the token nor the order may follow a redirect.
            return await fetch(self._http, method, path, content=content, headers=headers, follow_redirects=False)
        except httpx.RequestError as error:
            # After a timeout, a reset or a garbled body, the effect is unknown: only the same key may be used again.
            message = f"{self._name} could not be asked ({type(error).__name__})."
            raise Unavailable(message) from error

    def _read(self, response: httpx.Response, answer: type[_Answer]) -> _Answer:
        if why := why_unread(response):
            message = f"{self._name} answered {response.status_code} with {why}. Fix it, then retry."
            raise Broken(message)
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            fields = ", ".join(field_path(each["loc"]) for each in error.errors())
            message = (
                f"{self._name} answered {response.status_code} with a body that is no {answer.__name__} ({fields})."
            )
            raise Broken(message) from None

    def _error(self, response: httpx.Response) -> Declined | Unavailable | Broken:
        status = response.status_code
        problem = problem_of(response)
        # A participant's own has a code; one without is that of somebody on the way.
        code = problem.code if problem else None
        in_progress = status == HTTPStatus.CONFLICT and code == _IN_PROGRESS
        if in_progress or is_transient(status, is_problem=code is not None):
            wish = retry_after(response, _RETRY_AFTER_MOST)
            return Unavailable(f"{self._name} answered {status} {code or ''}".rstrip() + ".", wish)
        if problem and code is not None and status in _REFUSAL and code not in _NOT_BUSINESS:
            return Declined(code, problem.detail or problem.title, tuple(problem.errors))
        # The code, without its free text, which may quote the request.
        said = f" {code}" if code is not None else ""
        if status in _UNAUTHORIZED:
            caller = self._key.rpartition("/")[2]
            return Broken(
                f"{self._name} answered {status}{said}: it knows another token of {caller} than this worker has. "
                "Give both the same one (docs/participants.md), then retry."
            )
        return Broken(f"{self._name} answered {status}{said}, which this step does not expect. Mend it, then retry.")


@dataclass(frozen=True, slots=True)
class Participants:
    """All participants, for jobs of any task type."""

    clients: Mapping[str, httpx.AsyncClient]
    """An HTTP client by the participant's name; each has the participant's base URL and the timeouts."""
    token: TokenOf

    def service(self, name: str, saga_id: str, job: Job) -> Service:
        """Return the participant `name` for a job of a saga."""
        key = f"{saga_id}/{job.task_type}"
        return Service(name, self.clients[name], key, job.origin, self.token)

    def arguments(self, handler: Handler, saga_id: str, job: Job) -> dict[str, Any]:
        """Return the participants that the handler's function takes, by the names of its parameters."""
        services = {name: self.service(name, saga_id, job) for name in handler.services}
        if not handler.is_blocking:
            return dict(services)
        loop = asyncio.get_running_loop()
        return {name: BlockingService(service, loop) for name, service in services.items()}


class BlockingService:
    """A participant for a step that runs on a thread: the same commands, as blocking calls."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        """Send the commands of `service` on its event loop `loop`."""
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
