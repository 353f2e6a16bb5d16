"""What a service says when it does not do what was asked: problem documents (RFC 9457) with a stable `code`."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import Response
from pydantic import BaseModel, ConfigDict

from saga.common.problems import PROBLEM, FieldError


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem; a caller decides by its `code` what to do."""

    code: str
    status: int
    title: str
    retry_after: int | None = None
    """Seconds after which the same command may be sent again."""

    @property
    def uri(self) -> str:
        """The kind's identifier in a problem document."""
        return f"urn:saga:problem:{self.code.lower().replace('_', '-')}"


UNAUTHENTICATED = ProblemType("UNAUTHENTICATED", 401, "The request has no token, or one that is not known here")
FORBIDDEN = ProblemType("FORBIDDEN", 403, "The token is another caller's")
BODY_LATE = ProblemType("BODY_LATE", 408, "The request's body did not arrive")
BODY_TOO_LARGE = ProblemType("BODY_TOO_LARGE", 413, "The request's body is too large")
RATE_LIMITED = ProblemType("RATE_LIMITED", 429, "The caller sends too many requests", retry_after=1)
REQUEST_INVALID = ProblemType("REQUEST_INVALID", 422, "The request does not validate")
REQUEST_MALFORMED = ProblemType("REQUEST_MALFORMED", 400, "The request's headers are not valid HTTP")
MEDIA_TYPE_UNKNOWN = ProblemType("MEDIA_TYPE_UNKNOWN", 415, "The body is in a form that is not read here")
KEY_MISSING = ProblemType("IDEMPOTENCY_KEY_MISSING", 400, "A command needs an Idempotency-Key")
KEY_REUSED = ProblemType("IDEMPOTENCY_KEY_REUSED", 422, "The command was sent before with another payload")
IN_PROGRESS = ProblemType("COMMAND_IN_PROGRESS", 409, "The same command is running", retry_after=1)
FENCED = ProblemType("COMMAND_FENCED", 409, "The command comes after its undo")
ANSWER_FORGOTTEN = ProblemType("ANSWER_FORGOTTEN", 409, "The command took effect, and its answer is no longer kept")
DATABASE_UNAVAILABLE = ProblemType("DATABASE_UNAVAILABLE", 503, "The database is away", retry_after=1)
OVERLOADED = ProblemType("OVERLOADED", 503, "The service has more commands than it can carry out", retry_after=1)
INTERNAL = ProblemType("INTERNAL_ERROR", 500, "The service has a bug")
_ANY_REQUEST = (
    *(REQUEST_MALFORMED, UNAUTHENTICATED, FORBIDDEN, BODY_LATE, BODY_TOO_LARGE, MEDIA_TYPE_UNKNOWN, RATE_LIMITED),
    *(DATABASE_UNAVAILABLE, OVERLOADED, INTERNAL),
)
"""What any request with a token can meet."""
LISTED = 20
"""Errors that a problem lists at most: whatever was sent, the answer stays short."""


class ProblemDocument(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": FENCED.uri,
                    "title": FENCED.title,
                    "status": FENCED.status,
                    "detail": "Reservation 4711 was undone before this command arrived.",
                    "code": FENCED.code,
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] | None = None


class Problem(Exception):
    """The request ends with this problem document, and nothing of it is kept."""

    def __init__(self, kind: ProblemType, detail: str, errors: list[FieldError] | None = None) -> None:
        """`detail` is for people: what happened to this request, without any personal data.

        The first `LISTED` of the `errors` are kept, and the detail says how many more there are.
        """
        more = max(len(errors or ()) - LISTED, 0)
        self.kind = kind
        self.detail = f"{detail} And {more} more errors." if more else detail
        self.errors = errors and errors[:LISTED]
        super().__init__(f"{kind.code}: {self.detail}")

    def body(self) -> bytes:
        """Return the document as it is sent."""
        document = ProblemDocument(
            type=self.kind.uri,
            title=self.kind.title,
            status=self.kind.status,
            detail=self.detail,
            code=self.kind.code,
            errors=self.errors,
        )
        return document.model_dump_json(exclude_none=True).encode()

    def response(self) -> Response:
        """Return the document as an HTTP response."""
        headers = {} if self.kind.retry_after is None else {"Retry-After": str(self.kind.retry_after)}
        return Response(self.body(), self.kind.status, headers, PROBLEM)


class Refusal(Problem):
    """A participant's business says no: the answer to this command, now and at each repeat."""


def documented(*kinds: ProblemType) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a route that can end with `kinds`, by status."""
    by_status: dict[int, list[ProblemType]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {status: _documented(status, same) for status, same in by_status.items()}


def command_problems(*refusals: ProblemType) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a command: its own refusals and those that any command can meet."""
    barrier = (KEY_MISSING, REQUEST_INVALID, KEY_REUSED, IN_PROGRESS, FENCED, ANSWER_FORGOTTEN)
    return documented(*refusals, *barrier, *_ANY_REQUEST)


def query_problems(*kinds: ProblemType) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a query: its own problems and those that any request can meet."""
    return documented(*kinds, REQUEST_INVALID, *_ANY_REQUEST)


def _documented(status: int, kinds: list[ProblemType]) -> dict[str, Any]:
    examples: Mapping[str, Any] = {
        kind.code: {"value": {"type": kind.uri, "title": kind.title, "status": status, "detail": "", "code": kind.code}}
        for kind in kinds
    }
    described: dict[str, Any] = {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(kind.code for kind in kinds)}",
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}, "examples": examples}},
    }
    if any(kind.retry_after is not None for kind in kinds):
        described["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
    if status == HTTPStatus.UNAUTHORIZED:
        described["headers"] = {"WWW-Authenticate": {"schema": {"type": "string", "const": "Bearer"}}}
    return described
