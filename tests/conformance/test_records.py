"""Section 6: the order of records, which only the embedded engine's management port shows."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.conformance import saga
from tests.conformance.diagrams import draw, one_task
from tests.conformance.zeebe import TIMEOUT, Zeebe
from tests.engine.drawing import end, inside, mapping, start, subprocess, task

pytestmark = pytest.mark.engine_log

Path = list[tuple[str, str]]
"""Element ids and intents."""


@pytest.fixture
async def log(management: str) -> AsyncIterator[httpx.AsyncClient]:
    """The management port."""
    async with httpx.AsyncClient(base_url=management, timeout=TIMEOUT) as client:
        yield client


async def path_of(log: httpx.AsyncClient, instance: int) -> Path:
    """Return what happened to the elements of an instance: ids and the ends of the intents."""
    found: Path = []
    position = 0
    while lines := (await log.get("/records", params={"from": position})).raise_for_status().text.splitlines():
        records: list[dict[str, Any]] = [json.loads(line) for line in lines]
        found += [
            (each["value"]["elementId"], each["intent"].removeprefix("ELEMENT_"))
            for each in records
            if (each["valueType"], each["recordType"]) == ("PROCESS_INSTANCE", "EVENT")
            and each["value"]["processInstanceKey"] == instance
        ]
        position = records[-1]["position"] + 1
    return found


def whole(element: str) -> Path:
    """Return the life of an element that just passes."""
    return [(element, each) for each in ("ACTIVATING", "ACTIVATED", "COMPLETING", "COMPLETED")]


@pytest.mark.case("6a", "s")
async def test_an_instance_is_around_its_elements_and_a_flow_is_between_them(
    zeebe: Zeebe, log: httpx.AsyncClient
) -> None:
    p, t = zeebe.names("p", "t")
    await zeebe.deploy(one_task(p, t))
    instance = await zeebe.create(p)
    await zeebe.complete_next(t)
    assert await path_of(log, instance) == [
        (p, "ACTIVATING"),
        (p, "ACTIVATED"),
        *whole("start"),
        ("start-task", "SEQUENCE_FLOW_TAKEN"),
        *whole("task"),
        ("task-end", "SEQUENCE_FLOW_TAKEN"),
        *whole("end"),
        (p, "COMPLETING"),
        (p, "COMPLETED"),
    ]


@pytest.mark.case("6b", "s")
async def test_terminating_goes_down_and_then_up(zeebe: Zeebe, log: httpx.AsyncClient) -> None:
    p, t = zeebe.names("p", "t")
    content = inside("in > a", **{"in": start(), "a": task(t)})
    await zeebe.deploy(draw(p, "start > s > end", start=start(), s=subprocess(content), end=end()))
    instance = await zeebe.create(p)
    await zeebe.cancel(instance)
    ending = [each for each in await path_of(log, instance) if "TERMINAT" in each[1]]
    assert ending == [
        *((each, "TERMINATING") for each in (p, "s", "a")),
        *((each, "TERMINATED") for each in ("a", "s", p)),
    ]


@pytest.mark.case("6c", "s")
async def test_an_incident_leaves_the_element_in_the_step_that_failed(zeebe: Zeebe, log: httpx.AsyncClient) -> None:
    p, t = zeebe.names("p", "t")
    await zeebe.deploy(one_task(p, t, mapping({"x": "=assert(m, m != null)"})))
    instance = await zeebe.create(p)
    incident = await zeebe.incident(instance)
    assert (await path_of(log, instance))[-1] == ("task", "ACTIVATING")
    await zeebe.set(instance, m=1)
    await zeebe.resolve(incident)
    assert (await path_of(log, instance))[-2:] == [("task", "ACTIVATING"), ("task", "ACTIVATED")]


@pytest.mark.case("8a", "s")
async def test_a_throw_completes_after_the_boundary_event_and_the_handler(zeebe: Zeebe, log: httpx.AsyncClient) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(saga.broadcast(p, zeebe.suffix))
    instance = await zeebe.create(p)
    for label in ("a", "b", "undo-a", "undo-b"):
        await zeebe.complete_next(zeebe.name(label))
    path = await path_of(log, instance)
    steps = [each for each in path if each[0] in {"all", "undo-a", "undo_a"}]
    assert steps == [("all", "ACTIVATING"), ("all", "ACTIVATED"), *whole("undo-a"), *whole("undo_a"), *whole("all")[2:]]
