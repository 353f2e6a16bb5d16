"""Refusals as `application/problem+json`, with the titles and details that Camunda's clients know."""

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..core import Rejection
from .encoding import encode

_STATUS = {
    "INVALID_ARGUMENT": HTTPStatus.BAD_REQUEST,
    "NOT_FOUND": HTTPStatus.NOT_FOUND,
    "ALREADY_EXISTS": HTTPStatus.CONFLICT,
    "INVALID_STATE": HTTPStatus.CONFLICT,
}
"""HTTP status of each rejection code; 500 for the others."""


class Problem(Exception):
    """A request that is not carried out."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        """`title` says what kind of refusal it is, `detail` what is wrong with this request."""
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail


def bad_request(detail: str) -> Problem:
    """Return the problem of a request that cannot be understood."""
    return Problem(HTTPStatus.BAD_REQUEST, "Bad Request", detail)


def unreadable(*path: str) -> Problem:
    """Return the problem of a property that is not known, or whose value has the wrong type."""
    return bad_request(f"Request property [{'.'.join(path)}] cannot be parsed")


def invalid_argument(detail: str) -> Problem:
    """Return the problem of a request that is understood and can never be right."""
    return Problem(HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT", detail)


def not_found(detail: str) -> Problem:
    """Return the problem of an entity that is not there."""
    return Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", detail)


def of_rejection(rejection: Rejection) -> Problem:
    """Return the problem of a command that the engine rejected."""
    status = _STATUS.get(rejection.code)
    if status is None:
        return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL", str(rejection))
    return Problem(status, rejection.code, str(rejection))


def response(request: Request, problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Return the answer to a request with a problem."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.title,
        "status": int(problem.status),
        "detail": problem.detail,
        "instance": request.url.path,
    }
    return Response(encode(body), problem.status, headers, "application/problem+json")
