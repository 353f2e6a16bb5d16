"""Sections 1 and 2: a job's timeout, and jobs that are pushed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from grpc import StatusCode
from pyzeebe.proto import gateway_pb2 as pb

from tests.conformance.clock import Clock
from tests.conformance.diagrams import one_task
from tests.conformance.zeebe import MINUTE, TIMEOUT, Zeebe, refused, variables_of

Pushed = asyncio.Queue[pb.ActivatedJob]


@pytest.fixture
async def p(zeebe: Zeebe) -> str:
    """A deployed process of one task."""
    p, t = zeebe.names("p", "t")
    await zeebe.deploy(one_task(p, t))
    return p


@pytest.fixture
def t(zeebe: Zeebe) -> str:
    """The type of its job."""
    return zeebe.name("t")


@asynccontextmanager
async def stream(zeebe: Zeebe, p: str, *streams: Pushed) -> AsyncIterator[None]:
    """Open streams; they are open when a job has come through each of them."""
    t = zeebe.name("t")
    request = pb.StreamActivatedJobsRequest(type=t, worker="conformance", timeout=MINUTE)
    is_open = [asyncio.Event() for _ in streams]

    async def read(pushed: Pushed, opened: asyncio.Event) -> None:
        call = zeebe.stub.StreamActivatedJobs(request)
        try:
            async for job in call:
                if variables_of(job).get("probe"):
                    opened.set()
                    await zeebe.complete(job)
                else:
                    pushed.put_nowait(job)
        finally:
            call.cancel()

    readers = [asyncio.create_task(read(pushed, opened)) for pushed, opened in zip(streams, is_open, strict=True)]
    try:
        async with asyncio.timeout(TIMEOUT):
            while not all(opened.is_set() for opened in is_open):
                await zeebe.create(p, probe=True)
                await asyncio.sleep(0.02)
        yield
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def pushed_job(pushed: Pushed, seconds: float = TIMEOUT) -> pb.ActivatedJob:
    """Wait for a job that is pushed."""
    return await asyncio.wait_for(pushed.get(), seconds)


async def update_timeout(zeebe: Zeebe, job: int, lease: int) -> None:
    request = pb.UpdateJobTimeoutRequest(jobKey=job, timeout=lease)
    await zeebe.stub.UpdateJobTimeout(request, timeout=TIMEOUT)


@pytest.mark.case(44, "s")
async def test_a_longer_timeout_keeps_the_job_beyond_its_old_deadline(
    zeebe: Zeebe, p: str, t: str, clock: Clock
) -> None:
    await zeebe.create(p)
    job = await zeebe.job(t, lease=1000)
    await update_timeout(zeebe, job.key, 2500)
    await clock.advance(1500)
    assert await zeebe.jobs(t) == []
    await clock.advance(1000)
    assert (await zeebe.job(t)).key == job.key


@pytest.mark.case("44b", "s")
async def test_a_shorter_timeout_brings_the_job_back_earlier(zeebe: Zeebe, p: str, t: str, clock: Clock) -> None:
    await zeebe.create(p)
    job = await zeebe.job(t, lease=10 * MINUTE)
    await update_timeout(zeebe, job.key, 500)
    await clock.advance(500)
    assert (await zeebe.job(t)).key == job.key


@pytest.mark.case("44c", "s")
async def test_a_job_that_nobody_activated_has_no_timeout_to_change(zeebe: Zeebe, p: str, t: str) -> None:
    await zeebe.create(p)
    job = await zeebe.job(t)
    await zeebe.fail(job, 1)
    await refused(update_timeout(zeebe, job.key, MINUTE), StatusCode.FAILED_PRECONDITION)
    await refused(update_timeout(zeebe, job.key + 10**9, MINUTE), StatusCode.NOT_FOUND)


@pytest.mark.case(45, "d")
async def test_a_new_job_is_pushed_and_one_from_before_the_stream_is_not(zeebe: Zeebe, p: str, t: str) -> None:
    before = await zeebe.create(p)
    pushed = Pushed()
    async with stream(zeebe, p, pushed):
        instance = await zeebe.create(p)
        assert (await pushed_job(pushed, 1)).processInstanceKey == instance
        assert (await zeebe.job(t)).processInstanceKey == before
        assert pushed.empty()


@pytest.mark.case(46, "d")
async def test_a_failed_job_is_pushed_again(zeebe: Zeebe, p: str) -> None:
    pushed = Pushed()
    async with stream(zeebe, p, pushed):
        await zeebe.create(p)
        job = await pushed_job(pushed)
        await zeebe.fail(job, 1)
        again = await pushed_job(pushed)
        assert (again.key, again.retries) == (job.key, 1)


@pytest.mark.case("46b", "d")
async def test_each_job_goes_to_one_of_two_streams(zeebe: Zeebe, p: str) -> None:
    pushed = Pushed()
    async with stream(zeebe, p, pushed, pushed):
        instances = {await zeebe.create(p) for _ in range(20)}
        jobs = [await pushed_job(pushed) for _ in instances]
        assert {job.processInstanceKey for job in jobs} == instances
        assert pushed.empty()


@pytest.mark.case(47, "d")
async def test_jobs_after_a_stream_are_there_for_a_poll(zeebe: Zeebe, p: str, t: str) -> None:
    pushed = Pushed()
    async with stream(zeebe, p, pushed):
        pass
    # The server may see the end of the stream a little later: what it still pushes comes back after its deadline.
    last = await zeebe.until(lambda: _create_and_poll(zeebe, p, t), bool)
    assert last


async def _create_and_poll(zeebe: Zeebe, p: str, t: str) -> bool:
    instance = await zeebe.create(p)
    return any(job.processInstanceKey == instance for job in await zeebe.jobs(t, wait=200))
