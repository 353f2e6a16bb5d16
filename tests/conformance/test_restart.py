"""Section 14: what is there after the engine was killed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from grpc import StatusCode

from tests.conformance.clock import Clock
from tests.conformance.diagrams import draw, one_task
from tests.conformance.zeebe import TIMEOUT, Zeebe, refused, variables_of
from tests.engine.drawing import awaits, catch, end, message, start, timer
from tests.engine.process import EngineProcess, running

pytestmark = pytest.mark.fault


class Engines:
    """One data folder; each engine on it is killed at its end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.last: EngineProcess | None = None

    @asynccontextmanager
    async def start(self) -> AsyncIterator[Zeebe]:
        """Start an engine, and kill it with what it is doing at the end."""
        async with (
            running("--clock", "controlled", data=self._folder / "data") as engine,
            engine.stub() as stub,
            httpx.AsyncClient(base_url=f"http://{engine.rest}", timeout=TIMEOUT) as rest,
        ):
            self.last = engine
            zeebe = Zeebe(stub, rest, Clock(rest), "restart")
            yield zeebe
            if engine.process.returncode is None:
                await engine.kill()
            await zeebe.settle()


@pytest.fixture
def engines(tmp_path: Path) -> Engines:
    """Engines on one folder."""
    return Engines(tmp_path)


def waiting(content: str) -> bytes:
    """Draw a process that waits for one event."""
    return draw("waits", "start > wait > end", message("m", "=key"), start=start(), wait=catch(content), end=end())


@pytest.mark.case(126, "t")
async def test_what_was_answered_is_there_after_a_kill(engines: Engines) -> None:
    async with engines.start() as zeebe:
        await zeebe.deploy(one_task("p", "t"))
        done, failed, open_, thrown, moved, gone = [await zeebe.create("p", n=n) for n in range(6)]
        jobs = await zeebe.some_jobs("t", 6)
        await zeebe.complete(jobs[0])
        await zeebe.fail(jobs[1], 0, "boom")
        await zeebe.fail(jobs[2], 7)
        await zeebe.throw(jobs[3], "NOBODYS")
        await zeebe.modify(moved, "end", terminate=(jobs[4].elementInstanceKey,))
        await zeebe.cancel(gone)
        await zeebe.set(open_, set=True)
        await zeebe.publish("m", "k", id_="once")
        await zeebe.deploy(waiting(awaits("m")))
        reached = await zeebe.create("waits", key="other")
        await zeebe.request("POST", "messages/correlation", {"name": "m", "correlationKey": "other"})
    async with engines.start() as zeebe:
        await zeebe.ended(done)
        await zeebe.ended(reached)
        await zeebe.ended(moved)
        await zeebe.ended(gone, "TERMINATED")
        assert (await zeebe.incident(thrown))["errorType"] == "UNHANDLED_ERROR_EVENT"
        incident = await zeebe.incident(failed)
        assert incident["errorMessage"] == "boom"
        job = await zeebe.job("t")
        assert (job.processInstanceKey, job.retries) == (open_, 7)
        assert variables_of(job) == {"n": 2, "set": True}
        await refused(zeebe.publish("m", "k", id_="once"), StatusCode.ALREADY_EXISTS)
        await zeebe.retries(jobs[1], 1)
        await zeebe.resolve(incident)
    async with engines.start() as zeebe:
        assert (await zeebe.job("t")).key == jobs[1].key
        assert await zeebe.search("incidents", processInstanceKey=failed, state="ACTIVE") == []


@pytest.mark.case(127, "t")
async def test_an_activated_job_keeps_its_deadline_over_a_kill(engines: Engines) -> None:
    async with engines.start() as zeebe:
        await zeebe.clock.stop()
        await zeebe.deploy(one_task("p", "t"))
        instances = [await zeebe.create("p") for _ in range(2)]
        first, second = await zeebe.some_jobs("t", 2, lease=5000)
        now = zeebe.clock.now()
    async with engines.start() as zeebe:
        await zeebe.complete(first)
        await zeebe.ended(instances[0])
        assert await zeebe.jobs("t") == []
        await zeebe.request("PUT", "clock", {"timestamp": now + 5000}, status=204)
        again = await zeebe.job("t")
        assert (again.key, again.retries) == (second.key, second.retries)


@pytest.mark.case(128, "t")
async def test_a_buffered_message_is_there_after_a_kill(engines: Engines) -> None:
    async with engines.start() as zeebe:
        await zeebe.deploy(waiting(awaits("m")))
        await zeebe.publish("m", "k", id_="once", x=1)
    async with engines.start() as zeebe:
        await refused(zeebe.publish("m", "k", id_="once"), StatusCode.ALREADY_EXISTS)
        assert await zeebe.result("waits", key="k") == {"key": "k", "x": 1}


@pytest.mark.case(129, "t")
async def test_a_timer_that_was_due_while_the_engine_was_down_fires(engines: Engines) -> None:
    async with engines.start() as zeebe:
        await zeebe.deploy(waiting(timer("duration", "PT0.2S")))
        instance = await zeebe.create("waits")
        await zeebe.elements(instance, "wait", "ACTIVE")
    async with engines.start() as zeebe:
        await zeebe.ended(instance)


@pytest.mark.case(130, "t")
async def test_no_acknowledged_instance_is_lost_and_no_key_is_given_twice(engines: Engines) -> None:
    created: set[int] = set()
    async with engines.start() as zeebe:
        await zeebe.deploy(one_task("p", "t"))
        engine = engines.last
        assert engine

        # All at once might be one batch, of which every answer had left when the engine is killed.
        few = asyncio.Semaphore(10)

        async def create() -> None:
            async with few:
                created.add(await zeebe.create("p"))
            if len(created) == 50:
                await engine.kill()

        ends = await asyncio.gather(*(create() for _ in range(100)), return_exceptions=True)
        assert any(isinstance(each, grpc.aio.AioRpcError) for each in ends)
    async with engines.start() as zeebe:
        later = {await zeebe.create("p") for _ in range(20)}
        assert not later & created
        page = {"filter": {}, "page": {"limit": 1000}}
        items = (await zeebe.request("POST", "process-instances/search", page))["items"]
        keys = [int(each["processInstanceKey"]) for each in items]
        assert len(keys) == len(set(keys))
        assert created | later <= set(keys)
        assert max(created) < min(later)
