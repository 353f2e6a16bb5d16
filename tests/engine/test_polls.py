"""Long polls: how long they last, what wakes them, who is first, and what a cancelled one gives back."""

import asyncio
import json
import time
from typing import TYPE_CHECKING

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from tests.engine.process import TIMEOUT, activate, create, deploy, task
from tests.engine.writing import create as create_in
from tests.engine.writing import creation, wanted, writing

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub


async def test_a_poll_without_a_job_lasts_its_whole_time_and_ends_without_a_message(
    gateway: "GatewayAsyncStub", job_type: str
) -> None:
    request = pb.ActivateJobsRequest(type=job_type, timeout=1000, maxJobsToActivate=1, requestTimeout=700)
    begun = time.monotonic()
    call = gateway.ActivateJobs(request, timeout=TIMEOUT)
    assert [batch async for batch in call] == []
    assert await call.code() is grpc.StatusCode.OK
    assert time.monotonic() - begun >= 0.7


async def test_a_poll_that_does_not_want_to_wait_ends_at_once(gateway: "GatewayAsyncStub", job_type: str) -> None:
    begun = time.monotonic()
    assert await activate(gateway, job_type, wait=-1) == []
    assert time.monotonic() - begun < 5


async def test_a_new_job_wakes_a_waiting_poll(gateway: "GatewayAsyncStub", job_type: str) -> None:
    await deploy(gateway, task(job_type))
    poll = asyncio.create_task(activate(gateway, job_type, wait=20_000))
    instance = await create(gateway, job_type, '{"a": 1}')
    [job] = await poll
    assert job.processInstanceKey == instance
    assert json.loads(job.variables) == {"a": 1}
    assert (job.worker, job.type, job.retries, job.tenantId) == ("test", job_type, 3, "<default>")
    assert json.loads(job.customHeaders) == {}


async def test_jobs_come_in_the_order_of_their_creation_and_never_more_than_asked_for(
    gateway: "GatewayAsyncStub", job_type: str
) -> None:
    await deploy(gateway, task(job_type))
    instances = [await create(gateway, job_type) for _ in range(7)]
    batches = [await activate(gateway, job_type, most=3) for _ in range(4)]
    assert [len(batch) for batch in batches] == [3, 3, 1, 0]
    assert [job.processInstanceKey for batch in batches for job in batch] == instances


async def test_only_the_variables_that_are_asked_for_come_with_a_job(
    gateway: "GatewayAsyncStub", job_type: str
) -> None:
    await deploy(gateway, task(job_type))
    await create(gateway, job_type, '{"a": 1, "b": 2}')
    request = pb.ActivateJobsRequest(
        type=job_type, timeout=1000, maxJobsToActivate=1, fetchVariable=["b", "none"], requestTimeout=-1
    )
    [batch] = [batch async for batch in gateway.ActivateJobs(request)]
    assert json.loads(batch.jobs[0].variables) == {"b": 2}


async def test_the_oldest_waiting_poll_is_first() -> None:
    async with writing() as (writer, _):
        polls = []
        for number in range(3):
            polls.append(asyncio.create_task(writer.activate(wanted(worker=str(number)), 1, 60_000)))
            await asyncio.sleep(0)
        for poll in polls:
            await create_in(writer)
            done, _ = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
            assert poll in done
            polls = [each for each in polls if not each.done()]


async def test_a_poll_that_is_cancelled_gives_back_what_it_was_about_to_get() -> None:
    async with writing() as (writer, log):
        await log.hold()
        created = asyncio.create_task(writer.send(creation()))
        cancelled = asyncio.create_task(writer.activate(wanted(worker="first"), 1, 60_000))
        await log.begun.wait()
        cancelled.cancel()
        other = asyncio.create_task(writer.activate(wanted(worker="second"), 1, 10_000))
        await asyncio.sleep(0)
        log.release()
        instance = (await created)["processInstanceKey"]
        [job] = (await other).jobs
        assert (job["worker"], job["processInstanceKey"]) == ("second", instance)
        given = [each.value["worker"] for batch in log.batches for each in batch if each.intent == "ACTIVATED"]
        assert given[0] == "first"


async def test_jobs_that_could_not_be_delivered_are_given_back() -> None:
    async with writing() as (writer, _):
        await create_in(writer)
        answer = await writer.activate(wanted(), 1, -1)
        waiting = asyncio.create_task(writer.activate(wanted(), 1, 10_000))
        writer.give_back(answer.jobs)
        assert [job["key"] for job in (await waiting).jobs] == [job["key"] for job in answer.jobs]


async def test_a_poll_that_is_cancelled_while_it_waits_is_forgotten(gateway: "GatewayAsyncStub", job_type: str) -> None:
    await deploy(gateway, task(job_type))
    request = pb.ActivateJobsRequest(type=job_type, timeout=60_000, maxJobsToActivate=9, requestTimeout=20_000)
    with pytest.raises(grpc.aio.AioRpcError):
        [_ async for _ in gateway.ActivateJobs(request, timeout=0.3)]
    instance = await create(gateway, job_type)
    [job] = await activate(gateway, job_type, wait=5_000)
    assert job.processInstanceKey == instance
