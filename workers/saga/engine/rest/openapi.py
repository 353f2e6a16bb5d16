"""The OpenAPI document of what is served, made from `OPERATIONS`."""

import re
from functools import cache
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from .call import Call, answer
from .cluster import LEVEL
from .kinds import BOOLEAN, KEY
from .operations import OPERATIONS, Operation
from .schemas import PROBLEM

_REFUSALS = (400, 401, 403, 413, 415, 421, 503)
"""Statuses that every operation may answer."""
_PARAMETER = re.compile(r"\{(\w+)\}")


async def document(_call: Call) -> Response:
    """Return the OpenAPI document."""
    return answer(make_document())


@cache
def make_document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method.lower()] = _operation(path, operation)
    problem = {"description": "A refusal", "content": {"application/problem+json": {"schema": PROBLEM}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "saga engine",
            "version": LEVEL,
            "description": "What an embedded engine serves of Camunda 8's orchestration cluster API.",
        },
        "paths": paths,
        "components": {
            "responses": {"Problem": problem},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
        "security": [{}, {"bearer": []}, {"basic": []}],
    }


def _operation(path: str, operation: Operation) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": KEY.schema} for name in _PARAMETER.findall(path)
    ]
    parameters += [{"name": name, "in": "query", "schema": BOOLEAN.schema} for name in operation.queries]
    described: dict[str, Any] = {
        "summary": operation.summary,
        "parameters": parameters,
        "responses": _responses(operation),
    }
    if operation.takes is not None:
        content = {operation.body_media: {"schema": operation.takes}}
        described["requestBody"] = {"required": operation.needs_body, "content": content}
    return described


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    if operation.answers is not None:
        content = {operation.media: {"schema": operation.answers}}
        responses["200"] = {"description": "Done", "content": content}
    if operation.answers is None or operation.may_be_empty:
        responses["204"] = {"description": "Done, without a body"}
    for status in sorted({*_REFUSALS, *operation.refusals}):
        responses[str(status)] = {"$ref": "#/components/responses/Problem"}
    if HTTPStatus.NOT_IMPLEMENTED in operation.refusals:
        del responses["204"]
    return responses
