"""`GET /records` of the management port: the log as lines of JSON, from a position on."""

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from saga.engine.compaction import compact
from saga.engine.core.times import FAR
from tests.engine.process import TIMEOUT, EngineProcess, create, deploy, running, task

CARD = "4111-1111"


async def page(http: httpx.AsyncClient, **query: int) -> list[dict[str, Any]]:
    answer = await http.get("/records", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def asking(engine: EngineProcess) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://{engine.management}", timeout=TIMEOUT)


async def every(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Read page by page up to the log's end."""
    found: list[dict[str, Any]] = []
    while new := await page(http, **{"from": found[-1]["position"] + 1 if found else 0}):
        found += new
    return found


async def test_every_record_is_served_once_and_in_order(tmp_path: Path) -> None:
    async with running("--values", data=tmp_path / "data") as engine, engine.stub() as stub, asking(engine) as http:
        await deploy(stub, task("work"))
        # More than a page: each of these instances has a variable of 200 kB.
        for number in range(12):
            await create(stub, "work", json.dumps({"number": number, "large": "x" * 200_000}))
        found = await every(http)
        assert len(await page(http)) < len(found)
        committed = [each for each in engine.records() if each.position <= found[-1]["position"]]
        assert [each["position"] for each in found] == [each.position for each in committed]
        assert [each["value"] for each in found] == [msgspec.to_builtins(each.value) for each in committed]
        middle = found[len(found) // 2]
        assert (await page(http, **{"from": middle["position"]}))[0] == middle


async def test_what_instances_are_about_is_hidden_unless_the_engine_shows_values(tmp_path: Path) -> None:
    for options in ((), ("--values",)):
        data = tmp_path / f"data{len(options)}"
        async with running(*options, data=data) as engine, engine.stub() as stub, asking(engine) as http:
            await deploy(stub, task("work"))
            instance = await create(stub, "work", json.dumps({"card": CARD}))
            found = await every(http)
            assert (CARD in json.dumps(found)) is bool(options)
            [name] = {each["value"].get("name") for each in found if each["valueType"] == "VARIABLE"}
            assert name == ("card" if options else None)
            [job] = [each["value"] for each in found if (each["valueType"], each["intent"]) == ("JOB", "CREATED")]
            assert (job["type"], job["elementId"], job["processInstanceKey"]) == ("work", "task", instance)


async def test_who_waits_gets_the_next_record_as_soon_as_it_is_committed(tmp_path: Path) -> None:
    async with running(data=tmp_path / "data") as engine, engine.stub() as stub, asking(engine) as http:
        last = (await every(http))[-1]["position"]
        waiting = asyncio.create_task(page(http, **{"from": last + 1, "wait": 30_000}))
        await page(http)  # It has come by now.
        assert not waiting.done()
        begun = time.monotonic()
        await deploy(stub, task("work"))
        assert (await waiting)[0]["position"] == last + 1
        assert time.monotonic() - begun < 20, "it did not wait to its end"
        last = (await every(http))[-1]["position"]
        assert await page(http, **{"from": last + 1, "wait": 50}) == []


async def test_an_engine_that_stops_lets_nobody_wait(tmp_path: Path) -> None:
    async with running(data=tmp_path / "data") as engine, asking(engine) as http:
        last = (await every(http))[-1]["position"]
        waiting = asyncio.create_task(page(http, **{"from": last + 1, "wait": 60_000}))
        await page(http)
        assert await engine.stop() == 0
        assert await waiting == []


async def test_a_position_before_the_logs_first_is_refused_by_name(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running(data=data) as engine, engine.stub() as stub:
        await deploy(stub, task("work"))
        assert await engine.stop() == 0
    with closing(sqlite3.connect(data / "engine.sqlite", isolation_level=None)) as log:
        compact(log, before=FAR)
        [[first]] = log.execute("SELECT min(first_position) FROM batch")
    assert first > 1
    async with running(data=data) as engine, asking(engine) as http:
        refused = await http.get("/records", params={"from": first - 1})
        assert refused.status_code == 410
        assert refused.json()["detail"] == (
            f"The log begins at position {first}: the records before it are gone. Ask for from={first}."
        )
        assert (await page(http))[0]["position"] == first == (await page(http, **{"from": first}))[0]["position"]


@pytest.mark.parametrize("query", ["from=-1", "from=x", f"from={1 << 63}", "from=²", "wait=60001", "wait=1.5", "wait="])
async def test_what_is_no_position_and_no_time_is_refused_by_name(saga_engine: EngineProcess, query: str) -> None:
    async with asking(saga_engine) as http:
        refused = await http.get(f"/records?{query}")
        assert refused.status_code == 400
        assert query.partition("=")[0] in refused.json()["detail"]


async def test_records_are_shown_to_nobody_without_a_token(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("secret")
    async with running("--token-file", str(tokens)) as engine, asking(engine) as http:
        assert (await http.get("/records")).status_code == 401
        http.headers["authorization"] = "Bearer secret"
        assert (await page(http))[0]["valueType"] == "ENGINE"
