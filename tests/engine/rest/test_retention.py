"""What REST shows of ended instances, with a retention and without."""

import asyncio
from typing import Any

import httpx
import pytest

from saga.engine.projection import history
from tests.engine.drawing import call, draw, end, start, task
from tests.engine.process import TIMEOUT
from tests.engine.rest import diagrams
from tests.engine.rest.conftest import Service, serving

DAY = 86_400_000
BEGIN = 2_000_000_000_000
"""Engine time at which instances begin and end, in milliseconds."""
CALLING = draw("calling", "start > c > t > end", start=start(), c=call("order"), t=task("later"), end=end())
ITEMS = ("element-instances", "variables", "incidents", "jobs", "message-subscriptions", "user-tasks")
KEYS = {
    "element-instances": "elementInstanceKey",
    "variables": "variableKey",
    "incidents": "incidentKey",
    "user-tasks": "userTaskKey",
}
"""Names of the keys of what can be had by its key."""


async def pin(engine: Service, time: int) -> None:
    answer = await engine.client.put("/v2/clock", json={"timestamp": time})
    assert answer.status_code == 204, answer.text


async def found(engine: Service, instance: str) -> dict[str, list[dict[str, Any]]]:
    """Search for all that belongs to an instance."""
    things = ("process-instances", *ITEMS)
    return {thing: await engine.search(thing, processInstanceKey=instance) for thing in things}


async def is_there(engine: Service, instance: str) -> bool:
    answer = await engine.request("GET", f"process-instances/{instance}")
    assert answer.status_code in {200, 404}, answer.text
    return answer.status_code == httpx.codes.OK


async def gone(engine: Service, *instances: str) -> None:
    """Wait until instances are forgotten."""
    async with asyncio.timeout(TIMEOUT):
        for instance in instances:
            while await is_there(engine, instance):
                pass


async def complete(engine: Service, job_type: str) -> None:
    job = await engine.job(job_type)
    await engine.post(f"jobs/{job['jobKey']}/completion", {}, 204)


async def ended(engine: Service) -> list[str]:
    """Run and end instances that have, together, something of everything."""
    paid = await engine.start("order", total=7)
    job = await engine.job("pay")
    await engine.post(f"jobs/{job['jobKey']}/failure", {"retries": 0, "errorMessage": "no card"}, 204)
    waiting, asking = await engine.start("cancelable", orderId="1"), await engine.start("ask")
    shown = [await found(engine, each) for each in (paid, waiting, asking)]
    assert all(any(each[thing] for each in shown) for thing in ITEMS)
    for each in (paid, waiting, asking):
        await engine.post(f"process-instances/{each}/cancellation", None, 204)
    return [paid, waiting, asking]


async def test_an_instance_that_ended_long_ago_is_found_no_more_and_every_other_one_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No command asks for the second portion.
    monkeypatch.setattr(history, "PORTION", 5)
    async with serving(controlled_clock=True, retention=DAY) as engine:
        await engine.deploy(*diagrams.FILES, ("calling.bpmn", CALLING))
        await pin(engine, BEGIN)
        caller = await engine.start("calling", a=1)
        await complete(engine, "pay")
        [called] = await engine.search("process-instances", parentProcessInstanceKey=caller)
        assert called["state"] == "COMPLETED"
        alive = [await found(engine, each) for each in (caller, called["processInstanceKey"])]
        old = await ended(engine)
        keys = {
            (thing, item[key])
            for each in old
            for thing, items in (await found(engine, each)).items()
            for item in items
            if (key := KEYS.get(thing))
        }
        assert {thing for thing, _ in keys} == KEYS.keys()
        await pin(engine, BEGIN + 1)
        late = await engine.start("order")
        await complete(engine, "pay")

        await pin(engine, BEGIN + DAY)
        await gone(engine, *old)
        for each in old:
            assert not any((await found(engine, each)).values())
            assert (await engine.request("GET", f"process-instances/{each}/sequence-flows")).status_code == 404
        for thing, key in keys:
            assert (await engine.request("GET", f"{thing}/{key}")).status_code == 404
        assert await is_there(engine, late)
        assert [await found(engine, each) for each in (caller, called["processInstanceKey"])] == alive
        await complete(engine, "later")

        await pin(engine, BEGIN + DAY + 1)
        await gone(engine, late)
        assert await is_there(engine, called["processInstanceKey"])
        await pin(engine, BEGIN + 2 * DAY)
        await gone(engine, caller)
        assert not any((await found(engine, called["processInstanceKey"])).values())
        assert await engine.search("process-definitions", processDefinitionId="order")


async def test_a_clock_that_went_back_is_no_reason_to_keep_what_ends_then() -> None:
    async with serving(controlled_clock=True, retention=DAY) as engine:
        await engine.deploy(*diagrams.FILES)
        for begin in (BEGIN + 100 * DAY, BEGIN):
            await pin(engine, begin)
            instance = await engine.start("order")
            await complete(engine, "pay")
            await pin(engine, begin + DAY)
            await gone(engine, instance)


async def test_an_engine_without_a_retention_keeps_all() -> None:
    async with serving(controlled_clock=True) as engine:
        await engine.deploy(*diagrams.FILES)
        await pin(engine, BEGIN)
        old = await ended(engine)
        before = [await found(engine, each) for each in old]
        await pin(engine, BEGIN + 10_000 * DAY)
        await engine.start("order")
        assert [await found(engine, each) for each in old] == before
