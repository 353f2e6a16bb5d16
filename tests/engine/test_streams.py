"""Job streams: what is pushed, to whom, and what becomes of jobs whose stream is slow or breaks."""

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from saga.engine.core import Command
from saga.engine.streams import UNSENT, JobStream, JobStreams
from tests.engine.process import TIMEOUT, EngineProcess, activate, create, deploy, running, task
from tests.engine.writing import create as create_in
from tests.engine.writing import creation, wanted, writing

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

    # Generic for type checkers only.
    Call = grpc.aio.UnaryStreamCall[pb.StreamActivatedJobsRequest, pb.ActivatedJob]


async def stream(stub: "GatewayAsyncStub", job_type: str, worker: str = "stream") -> "Call":
    """Open a stream; the engine has it when this returns."""
    request = pb.StreamActivatedJobsRequest(type=job_type, worker=worker, timeout=60_000)
    call: Call = stub.StreamActivatedJobs(request)
    await asyncio.wait_for(call.initial_metadata(), TIMEOUT)
    return call


async def read(call: "Call") -> pb.ActivatedJob:
    job = await asyncio.wait_for(call.read(), TIMEOUT)
    assert isinstance(job, pb.ActivatedJob)
    return job


async def test_a_new_job_is_pushed_at_once(gateway: "GatewayAsyncStub", job_type: str) -> None:
    await deploy(gateway, task(job_type))
    call = await stream(gateway, job_type)
    instance = await create(gateway, job_type)
    job = await read(call)
    assert (job.processInstanceKey, job.worker, job.tenantId) == (instance, "stream", "<default>")
    await gateway.CompleteJob(pb.CompleteJobRequest(jobKey=job.key))
    call.cancel()


async def test_a_job_from_before_the_stream_is_left_to_polls(gateway: "GatewayAsyncStub", job_type: str) -> None:
    await deploy(gateway, task(job_type))
    before = await create(gateway, job_type)
    call = await stream(gateway, job_type)
    after = await create(gateway, job_type)
    assert (await read(call)).processInstanceKey == after
    [job] = await activate(gateway, job_type)
    assert job.processInstanceKey == before
    call.cancel()


async def test_a_failed_job_with_retries_is_pushed_again(gateway: "GatewayAsyncStub", job_type: str) -> None:
    await deploy(gateway, task(job_type))
    call = await stream(gateway, job_type)
    await create(gateway, job_type)
    job = await read(call)
    await gateway.FailJob(pb.FailJobRequest(jobKey=job.key, retries=1))
    again = await read(call)
    assert (again.key, again.retries) == (job.key, 1)
    call.cancel()


async def test_streams_of_one_type_share_its_jobs(gateway: "GatewayAsyncStub", job_type: str) -> None:
    await deploy(gateway, task(job_type))
    calls = [await stream(gateway, job_type, worker) for worker in ("a", "a", "b")]
    for _ in range(8):
        await create(gateway, job_type)
    first = [await read(call) for call in calls]
    assert len({job.key for job in first}) == 3
    for call in calls:
        call.cancel()


async def test_a_stream_that_nobody_reads_leaves_jobs_to_polls_and_gives_back_what_it_did_not_send(
    saga_engine: EngineProcess, gateway: "GatewayAsyncStub", job_type: str
) -> None:
    await deploy(gateway, task(job_type))
    small = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16_384), ("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(saga_engine.gateway, small) as channel:
        call = await stream(GatewayStub(channel), job_type)  # type: ignore[arg-type]
        variables = f'{{"text": "{"x" * 4000}"}}'
        instances = {await create(gateway, job_type, variables) for _ in range(120)}
        by_poll = await activate(gateway, job_type, most=200)
        assert len(by_poll) >= 20
        call.cancel()
    given_back = await activate(gateway, job_type, most=200, wait=5_000)
    assert len(given_back) >= 16
    both = [job.processInstanceKey for job in (*by_poll, *given_back)]
    assert len(both) == len(set(both))
    assert set(both) <= instances


async def test_a_stream_ends_with_unavailable_when_the_engine_stops() -> None:
    async with running() as engine, engine.stub() as stub:
        poll = asyncio.create_task(activate(stub, "work", wait=60_000))
        await asyncio.sleep(0)
        # It takes the same connection, so once it is open, the poll has arrived too.
        call = await stream(stub, "work")
        stopped = asyncio.create_task(engine.stop())
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await read(call)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await poll
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        assert await stopped == 0


async def test_a_stream_that_breaks_while_its_job_is_committed_gives_it_back() -> None:
    async with writing() as (writer, log):
        broken = writer.open_stream(wanted(worker="broken"))
        await log.hold()
        created = asyncio.create_task(writer.send(creation()))
        await log.begun.wait()
        writer.close_stream(broken)
        poll = asyncio.create_task(writer.activate(wanted(worker="poll"), 1, 10_000))
        log.release()
        await created
        [job] = (await poll).jobs
        assert job["worker"] == "poll"


async def test_what_does_not_fit_into_one_push_goes_to_a_waiting_poll() -> None:
    async with writing() as (writer, log):
        stream = writer.open_stream(wanted(worker="stream"))
        poll = asyncio.create_task(writer.activate(wanted(worker="poll"), 9, 60_000))
        await writer.send(Command("CLOCK", "RESET"))
        await log.hold()
        blocker = asyncio.create_task(writer.send(Command("CLOCK", "RESET")))
        await log.begun.wait()
        large = creation(variables=f'{{"text": "{"x" * 1_600_000}"}}')
        created = [asyncio.create_task(writer.send(large)) for _ in range(3)]
        await asyncio.sleep(0)
        log.release()
        await asyncio.gather(blocker, *created)
        pushed = [(await anext(stream))["key"] for _ in range(2)]
        assert [job["worker"] for job in (await poll).jobs] == ["poll"]
        assert len({*pushed, *(job["key"] for job in (await poll).jobs)}) == 3
        writer.close_stream(stream)


async def test_a_job_that_is_being_sent_counts_as_unsent_until_the_next_one() -> None:
    async with writing() as (writer, _):
        stream = writer.open_stream(wanted())
        for _ in range(UNSENT + 3):
            await create_in(writer)
        assert stream.room == 0
        first = await anext(stream)
        assert stream.room == 0
        second = await anext(stream)
        assert stream.room == 1
        writer.close_stream(stream)
        back = (await writer.activate(wanted(), 100, 0)).jobs
        assert first["key"] not in {job["key"] for job in back}
        assert second["key"] in {job["key"] for job in back}
        assert len(back) == UNSENT - 1 + 3


def test_groups_take_turns_and_in_a_group_its_streams() -> None:
    streams = JobStreams()
    a1, a2, b = (JobStream(wanted(worker=name)) for name in "aab")
    for each in (a1, a2, b):
        streams.add(each)
    chosen, left = streams.assign(("work", key) for key in range(4))
    assert chosen == {a1: [0], b: [1, 3], a2: [2]}
    assert left == []
    assert streams.assign([("other", 9)]) == ({}, ["other"])
    full, rest = streams.assign(("work", key) for key in range(10, 10 + 3 * UNSENT))
    assert sorted(len(keys) for keys in full.values()) == [UNSENT - 2, UNSENT - 1, UNSENT - 1]
    assert rest == ["work"] * 4
    streams.remove(a1)
    streams.remove(a2)
    streams.remove(b)
    assert streams.all() == []
