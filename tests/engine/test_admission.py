"""What waits in the engine has bounds: one more is refused, at once, and nothing of it is done."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.engine import admission
from saga.engine.admission import MAX_POLLS, MAX_RESULTS, MAX_STREAMS
from saga.engine.core import Command
from saga.engine.errors import Busy
from saga.engine.gateway.server import MAX_MESSAGE
from saga.engine.records import MAX_READERS
from saga.engine.rest.definitions import MAX_FILES
from saga.engine.writer import Writer
from tests.engine.process import TIMEOUT, create, deploy, refused, running, task
from tests.engine.rest.conftest import serving
from tests.engine.writing import creation, wanted, writing

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub


async def test_more_polls_than_may_wait_are_refused_and_one_that_ends_makes_room() -> None:
    async with writing() as (writer, log):
        polls = await waiting(MAX_POLLS, lambda: writer.activate(wanted("other"), 1, 60_000), writer)
        before = len(log.batches)
        with pytest.raises(Busy, match="too many requests"):
            await writer.activate(wanted(), 1, 60_000)
        await writer.send(Command("CLOCK", "RESET"))
        assert len(log.batches) == before + 1
        assert {record.value_type for record in log.batches[-1]} == {"CLOCK"}
        polls[0].cancel()
        await asyncio.wait(polls[:1])
        assert (await writer.activate(wanted(), 1, -1)).jobs == []
        await ended(polls)


async def test_of_a_burst_of_calls_none_is_dropped_without_a_word() -> None:
    async with running("--memory") as engine, engine.stub() as stub:
        await deploy(stub, task("burst"))
        request = pb.CreateProcessInstanceRequest(bpmnProcessId="burst", version=-1)
        calls = [stub.CreateProcessInstance(request, timeout=TIMEOUT) for _ in range(3_000)]
        codes = [await call.code() for call in calls]
    assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}


async def test_more_waits_for_a_result_than_may_be_are_refused_and_no_instance_is_created() -> None:
    value = dict(creation().value)
    async with writing() as (writer, log):
        results = await waiting(MAX_RESULTS, lambda: writer.create_with_result(value, 60_000), writer)
        before = len(log.batches)
        with pytest.raises(Busy, match="result"):
            await writer.create_with_result(value, 60_000)
        assert len(log.batches) == before
        assert await writer.send(creation())
        await ended(results)


async def test_more_streams_than_may_be_open_are_refused_and_one_that_is_closed_makes_room() -> None:
    async with writing() as (writer, _):
        streams = [writer.open_stream(wanted(f"type-{number}")) for number in range(MAX_STREAMS)]
        with pytest.raises(Busy, match="too many are open"):
            writer.open_stream(wanted())
        writer.close_stream(streams.pop())
        streams.append(writer.open_stream(wanted()))
        assert await writer.send(creation())
        job = await anext(streams[-1])
        assert job["type"] == "work"
        for stream in streams:
            writer.close_stream(stream)


async def test_more_readers_of_records_than_may_be_are_answered_503() -> None:
    many = httpx.Limits(max_connections=None)
    async with running() as engine, httpx.AsyncClient(timeout=TIMEOUT, limits=many) as http:
        url = f"http://{engine.management}/records"
        last = json.loads((await http.get(url)).text.splitlines()[-1])["position"]
        query = {"from": last + 1, "wait": 20_000}
        readers = [asyncio.ensure_future(_called(lambda: http.get(url, params=query))) for _ in range(MAX_READERS)]
        async with asyncio.timeout(TIMEOUT):
            while (refusal := await http.get(url, params={"from": last + 1})).status_code == 200:
                pass
        assert refusal.status_code == 503
        assert "too many requests" in refusal.json()["detail"]
        await ended(readers)


@pytest.mark.parametrize("bound", ["MAX_COMMANDS", "MAX_POLLS", "MAX_RESULTS"])
async def test_rest_answers_503_where_there_is_no_room(bound: str) -> None:
    async with serving() as service:
        with replaced(bound):
            activation = {"type": "work", "timeout": 1, "maxJobsToActivate": 1, "requestTimeout": -1}
            sent = {
                "MAX_COMMANDS": ("process-instances", {"processDefinitionId": "p"}),
                "MAX_POLLS": ("jobs/activation", activation),
                "MAX_RESULTS": ("process-instances", {"processDefinitionId": "p", "awaitCompletion": True}),
            }
            problem = await service.post(*sent[bound], status=503)
        assert problem["title"] == "RESOURCE_EXHAUSTED"


async def test_a_deployment_of_too_many_files_is_refused_over_rest() -> None:
    async with serving() as service:
        parts = [("resources", (f"{number}.form", b"{}")) for number in range(MAX_FILES + 1)]
        response = await service.client.post("/v2/deployments", files=parts)
        assert response.status_code == 400
        assert "Too many files" in response.json()["detail"]


async def test_a_grpc_request_that_is_too_large_is_refused_and_the_connection_lives_on(
    gateway: "GatewayAsyncStub", job_type: str
) -> None:
    await deploy(gateway, task(job_type))
    large = pb.CreateProcessInstanceRequest(
        bpmnProcessId=job_type, version=-1, variables='{"a": "' + "x" * MAX_MESSAGE + '"}'
    )
    await refused(gateway.CreateProcessInstance(large, timeout=TIMEOUT), grpc.StatusCode.RESOURCE_EXHAUSTED)
    await create(gateway, job_type)
    request = pb.ActivateJobsRequest(
        type=job_type, worker="test", timeout=60_000, maxJobsToActivate=9, requestTimeout=-1
    )
    assert len([job async for batch in gateway.ActivateJobs(request) for job in batch.jobs]) == 1


async def waiting(number: int, call: Callable[[], Awaitable[object]], writer: Writer) -> list["asyncio.Task[object]"]:
    """Begin calls that wait, and return once all of them do."""
    calls: list[asyncio.Task[object]] = []
    while len(calls) < number:
        calls += [asyncio.ensure_future(_called(call)) for _ in range(min(1_000, number - len(calls)))]
        await asyncio.sleep(0)
        await writer.send(Command("CLOCK", "RESET"))
    return calls


async def _called(call: Callable[[], Awaitable[object]]) -> object:
    return await call()


async def ended(calls: list["asyncio.Task[object]"]) -> None:
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)


@contextmanager
def replaced(bound: str) -> Iterator[None]:
    """Leave no room."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(admission, bound, 0)
        yield
