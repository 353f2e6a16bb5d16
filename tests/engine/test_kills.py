"""What was answered is there, wherever the process ends between the log and its answers."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from tests.amount import portions
from tests.engine.process import TIMEOUT, EngineProcess, activate, create, deploy, running, task

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

KILLS = [2, pytest.param(500, marks=pytest.mark.proof)]
"""How often the engine is ended."""
CLIENTS = 8
GONE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN}


@dataclass
class Ledger:
    """What the engine has answered with OK, and what was asked for without an answer."""

    started: set[int] = field(default_factory=set)
    """Instances."""
    completed: dict[int, int] = field(default_factory=dict)
    """Instance by the key of its completed job."""
    in_doubt: set[int] = field(default_factory=set)
    """Jobs whose completion got no answer."""
    published: set[str] = field(default_factory=set)
    """Ids of messages."""
    set_: dict[int, str] = field(default_factory=dict)
    """The variable `note` of an instance."""


async def start_instances(stub: "GatewayAsyncStub", ledger: Ledger) -> None:
    while True:
        ledger.started.add(await create(stub, "work"))


async def complete_jobs(stub: "GatewayAsyncStub", ledger: Ledger) -> None:
    while True:
        for job in await activate(stub, "work", most=5, wait=1000):
            ledger.in_doubt.add(job.key)
            await stub.CompleteJob(pb.CompleteJobRequest(jobKey=job.key), timeout=TIMEOUT)
            ledger.in_doubt.discard(job.key)
            assert job.key not in ledger.completed
            ledger.completed[job.key] = job.processInstanceKey


async def publish(stub: "GatewayAsyncStub", ledger: Ledger) -> None:
    while True:
        message = f"{len(ledger.published)}"
        request = pb.PublishMessageRequest(name="news", correlationKey="k", messageId=message, timeToLive=3_600_000)
        try:
            await stub.PublishMessage(request, timeout=TIMEOUT)
        except grpc.aio.AioRpcError as error:
            # The one before the crash had no answer and is there all the same.
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise
        ledger.published.add(message)


async def set_notes(stub: "GatewayAsyncStub", ledger: Ledger) -> None:
    while True:
        instance = await create(stub, "notes")
        ledger.started.add(instance)
        note = pb.SetVariablesRequest(elementInstanceKey=instance, variables=f'{{"note":"{instance}"}}')
        await stub.SetVariables(note, timeout=TIMEOUT)
        ledger.set_[instance] = f'"{instance}"'


async def until_gone(work: Awaitable[None]) -> None:
    """Work until the engine is gone."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await work
    assert error.value.code() in GONE, error.value


async def load(engine: EngineProcess, ledger: Ledger) -> None:
    """Put load on an engine until it ends by itself."""
    async with engine.stub() as stub:
        await deploy_all(stub)
        works = [work(stub, ledger) for work in (start_instances, complete_jobs) for _ in range(CLIENTS)]
        await asyncio.gather(*map(until_gone, (*works, publish(stub, ledger), set_notes(stub, ledger))))
    assert await asyncio.wait_for(engine.process.wait(), TIMEOUT) == 1


async def deploy_all(stub: "GatewayAsyncStub") -> None:
    for name in ("work", "notes"):
        await deploy(stub, task(name))


@pytest.mark.long
@pytest.mark.parametrize("kills", KILLS)
async def test_each_answered_effect_is_found_after_a_crash_between_the_log_and_the_answer(
    kills: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seed = SystemRandom().getrandbits(32)
    print("seed", seed)  # noqa: T201 - to repeat a failing run with
    chance = random.Random(seed)  # noqa: S311 - moments of a test
    ledger = Ledger()
    done = 0
    for _ in portions(kills, 1):
        done += 1
        nth = chance.randint(4, 120)
        async with running("--fault", f"crash:after-commit,{nth}", data=tmp_path / "data") as engine:
            await load(engine, ledger)
    record_property("kills", done)
    assert len(ledger.started) > done
    assert len(ledger.completed) > done
    assert len(ledger.published) > done
    assert len(ledger.set_) > done
    async with running(data=tmp_path / "data") as engine, engine.stub() as stub:
        await find(engine, stub, ledger)


async def find(engine: EngineProcess, stub: "GatewayAsyncStub", ledger: Ledger) -> None:
    """Find each acknowledged effect through the API, and nothing done twice."""
    for key in ledger.completed:
        assert await code_of(stub, pb.CompleteJobRequest(jobKey=key)) is grpc.StatusCode.NOT_FOUND
    for message in ledger.published:
        again = pb.PublishMessageRequest(name="news", correlationKey="k", messageId=message, timeToLive=1)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stub.PublishMessage(again)
        assert error.value.code() is grpc.StatusCode.ALREADY_EXISTS
    records = engine.records()
    ends = Counter(each.key for each in records if (each.value_type, each.intent) == ("JOB", "COMPLETED"))
    assert set(ends.values()) == {1}
    assert ends.keys() >= ledger.completed.keys()
    states = await states_of(engine)
    assert states.keys() >= ledger.started
    ended = {instance for instance, state in states.items() if state == "COMPLETED"}
    assert ended >= set(ledger.completed.values())
    # What was completed without an answer either took effect or did not; nothing else has ended.
    in_doubt = {
        each.value["processInstanceKey"]
        for each in records
        if (each.value_type, each.intent) == ("JOB", "CREATED") and each.key in ledger.in_doubt
    }
    assert ended <= set(ledger.completed.values()) | in_doubt
    assert await notes_of(engine) >= ledger.set_.items()
    jobs: list[pb.ActivatedJob] = []
    while batch := await activate(stub, "notes", most=10_000, lease=1000):
        jobs += batch
    assert {job.processInstanceKey for job in jobs} >= ledger.set_.keys()


async def code_of(stub: "GatewayAsyncStub", request: pb.CompleteJobRequest) -> grpc.StatusCode:
    try:
        await stub.CompleteJob(request)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def states_of(engine: EngineProcess) -> dict[int, str]:
    """Ask REST for every instance's state."""
    found = await search(engine, "process-instances", {})
    return {int(each["processInstanceKey"]): each["state"] for each in found}


async def notes_of(engine: EngineProcess) -> set[tuple[int, str]]:
    """Ask REST for every instance's variable `note`."""
    found = await search(engine, "variables", {"name": "note"})
    return {(int(each["processInstanceKey"]), each["value"]) for each in found}


async def search(engine: EngineProcess, what: str, searched: dict[str, str]) -> list[dict[str, str]]:
    """Return all pages of a search."""
    items: list[dict[str, str]] = []
    page: dict[str, object] = {"limit": 1000}
    async with httpx.AsyncClient(base_url=f"http://{engine.rest}", timeout=TIMEOUT) as http:
        while True:
            answer = await http.post(f"/v2/{what}/search", json={"filter": searched, "page": page})
            found = answer.raise_for_status().json()
            items += found["items"]
            if not found["items"] or not found["page"].get("endCursor"):
                return items
            page["after"] = found["page"]["endCursor"]
