"""Where a command goes is said by configuration; no process variable can lead it elsewhere."""

import json
import re
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx
import pytest

import order_fulfillment.steps
from saga.kit.definition.discovery import discover, handlers
from saga.kit.definition.handler import Handler
from saga.kit.definition.job import Job
from saga.kit.definition.saga import EXAMPLES
from saga.kit.definition.service import Participants
from saga.kit.execution.runner import Runner
from saga.kit.execution.threads import Threads

HANDLERS = handlers(discover(order_fulfillment.steps))
BASE = "http://participant.test:8101"
HOSTILE = [
    *(
        "http://elsewhere.test/x",
        "//elsewhere.test/x",
        "@elsewhere.test",
        "..",
        "../../stock",
        "4711/dispatch",
        "%2e%2e",
    ),
    *("4711?x=1", "4711#x", "4711\r\nHost: elsewhere.test", "4711\n", "4711\0", "", "\\\\elsewhere.test", "ümlaut"),
]
VARIABLES = json.loads((EXAMPLES / "fulfilled.json").read_text()) | {
    "acceptance": {"total": {"amount": 1, "currency": "EUR"}, "status": "accepted"}
}


def steered(value: Any, hostile: str) -> Iterator[Any]:  # noqa: ANN401 - any JSON
    """Yield the variables with one text in them replaced, for each of their texts, names of fields included."""
    match value:
        case str():
            yield hostile
        case dict():
            for name, each in value.items():
                yield from ({**value, name: changed} for changed in steered(each, hostile))
                yield {**value, hostile: each}
        case list():
            for index, each in enumerate(value):
                yield from ([*value[:index], changed, *value[index + 1 :]] for changed in steered(each, hostile))


def token_of(task_type: str, *, look_again: bool = False) -> str:
    del look_again
    return f"token-of-{task_type}"


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
async def test_no_process_variable_steers_a_request(handler: Handler) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"status": "shipping"})

    async with httpx.AsyncClient(base_url=BASE, transport=httpx.MockTransport(answer)) as http:
        participants = Participants(dict.fromkeys(handler.services, http), token_of)
        runner = Runner(handler, participants, Threads(1), Random(1), [])  # noqa: S311 - jitter
        changed = [VARIABLES, *(each for hostile in HOSTILE for each in steered(VARIABLES, hostile))]
        for variables in changed:
            await runner.run(Job(1, handler.task_type, 2, 3, "", "", 3, 0.0, variables=json.dumps(variables)))
    assert sent
    for request in sent:
        assert (request.url.scheme, request.url.netloc, request.url.query) == ("http", b"participant.test:8101", b"")
        order_id = VARIABLES["orderId"]
        assert re.fullmatch(rf"/[a-z]+/{order_id}(/dispatch|/cancellation)?", request.url.raw_path.decode())
        assert request.headers["Host"] == "participant.test:8101"
        assert request.headers["Idempotency-Key"] == f'"{order_id}/{handler.task_type}"'
        assert request.headers["Authorization"] == f"Bearer token-of-{handler.task_type}"
        assert "elsewhere.test" not in str(request.headers)
