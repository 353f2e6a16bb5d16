"""Tables that were filled by hand, and REST before them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any, cast

import httpx

from saga.engine import projection, rest
from saga.engine.access import Access
from saga.engine.log import Log
from saga.engine.writer import Writer
from tests.engine.projection.records import START, Story

NOBODY = cast("Writer", None)
"""Searches need no writer."""


def filled() -> Story:
    """Five instances: 0 and 1 active, 2 completed, 3 terminated, 4 called by 0 with an incident inside."""
    story = Story()
    definition = story.definition("order", name="Order")
    story.definition("order", 2)
    story.definition("ship", name="")
    for number in range(4):
        instance = story.instance(definition)
        instance.variable("orderId", f'"{4711 + number}"')
        instance.variable("total", str(number))
        task = instance.enter("Pay", "SERVICE_TASK", name="Take the payment")
        if number == 0:
            instance.variable("mine", "true", task)
            first, calling = instance, instance.enter("Ship", "CALL_ACTIVITY")
        if number >= 2:
            how = "COMPLETED" if number == 2 else "TERMINATED"
            instance.leave(task, how)
            instance.leave(instance.key, how)
    called = story.instance(definition, "ship", (first.key, calling))
    task = called.enter("Pay", "SERVICE_TASK")
    job = called.job("CREATED", task)
    called.job("FAILED", task, job, retries=2, errorMessage="later", deadline=START)
    called.incident("CREATED", task, jobKey=job, errorMessage="[no] *card* at 50%")
    called.variable("long", '"' + "x" * 9000 + '"')
    ask = called.enter("Ask", "USER_TASK")
    called.task("CREATED", ask, candidateGroups=["sales", "support"], assignee="ann", priority=10)
    called.task("CREATED", ask, priority=90)
    return story


@asynccontextmanager
async def asking() -> AsyncIterator[httpx.AsyncClient]:
    with closing(Log(None, projection)) as log, closing(projection.Reader.of_uri(log.reader_uri)) as reader:
        log.create(filled().records)
        transport = httpx.ASGITransport(app=rest.app(NOBODY, reader, Access()))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client


async def found(client: httpx.AsyncClient, things: str, **body: object) -> dict[str, Any]:
    response = await client.post(f"/v2/{things}/search", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def refused(client: httpx.AsyncClient, things: str, **body: object) -> dict[str, Any]:
    response = await client.post(f"/v2/{things}/search", json=body)
    assert response.status_code == 400, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem.keys() == {"type", "title", "status", "detail", "instance"}
    assert (problem["status"], problem["instance"]) == (400, f"/v2/{things}/search")
    return problem
