"""The searches that tests ask in an engine's place: late, standing still, or of another log."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from tests.engine.process import EngineProcess, create, deploy, running, task
from tests.searches import LaggingSearches
from tests.world import eventually


def log(engine: EngineProcess) -> Path:
    assert engine.data
    return engine.data / "engine.sqlite"


def counting(http: httpx.AsyncClient, things: str) -> Callable[[], Awaitable[int]]:
    async def count() -> int:
        return len((await http.post(f"/v2/{things}/search", json={})).raise_for_status().json()["items"])

    return count


async def test_each_kind_of_record_is_shown_in_its_own_time_and_commands_go_at_once(tmp_path: Path) -> None:
    async with running(data=tmp_path / "data") as engine, engine.stub() as stub:
        await deploy(stub, task("work"))
        await create(stub, "work")
        async with (
            LaggingSearches(log(engine), f"http://{engine.rest}", 0.3, JOB=1.5) as searches,
            httpx.AsyncClient(base_url=searches.url, timeout=30) as http,
        ):
            assert await counting(http, "jobs")() == 1, "what was there before has long been shown"
            begun = time.monotonic()
            made = await http.post("/v2/process-instances", json={"processDefinitionId": "work"})
            assert made.status_code == 200
            await eventually(counting(http, "process-instances"), lambda count: count == 2, 10)
            shown = time.monotonic()
            await eventually(counting(http, "jobs"), lambda count: count == 2, 10)
            assert shown - begun >= 0.3
            assert time.monotonic() - begun >= 1.5


async def test_searches_that_stand_still_go_on_when_they_are_released(tmp_path: Path) -> None:
    async with running(data=tmp_path / "data") as engine, engine.stub() as stub:
        await deploy(stub, task("work"))
        async with (
            LaggingSearches(log(engine), f"http://{engine.rest}") as searches,
            LaggingSearches(log(engine), f"http://{engine.rest}") as others,
            httpx.AsyncClient(base_url=searches.url, timeout=30) as http,
            httpx.AsyncClient(base_url=others.url, timeout=30) as beside,
        ):
            searches.hold()
            await create(stub, "work")
            await eventually(counting(beside, "jobs"), lambda count: count == 1, 10)
            assert await counting(http, "jobs")() == 0
            searches.release()
            await eventually(counting(http, "jobs"), lambda count: count == 1, 10)


async def test_searches_outlive_the_log_of_an_engine(tmp_path: Path) -> None:
    async with running(data=tmp_path / "old") as old, old.stub() as stub:
        await deploy(stub, task("work"))
        lost = str(await create(stub, "work"))
        assert await old.stop() == 0
    async with (
        running(data=tmp_path / "new") as new,
        LaggingSearches(log(old), f"http://{new.rest}") as searches,
        httpx.AsyncClient(base_url=searches.url, timeout=30) as http,
    ):
        assert (await http.get(f"/v2/process-instances/{lost}")).json()["state"] == "ACTIVE"
        refused = await http.post(f"/v2/process-instances/{lost}/cancellation", json={})
        assert refused.status_code == 404, "the new engine does not know it"
        assert (await http.get("/v2/topology")).status_code == 200
