"""Section 2: activation, completion and failure of jobs."""

import asyncio
import json
import time

import pytest
from grpc import StatusCode

from tests.conformance.clock import Clock
from tests.conformance.diagrams import one_task
from tests.conformance.zeebe import Zeebe, refused, variables_of
from tests.engine.drawing import headers


@pytest.fixture
async def p(zeebe: Zeebe) -> str:
    """A deployed process of one task."""
    p, t = zeebe.names("p", "t")
    await zeebe.deploy(one_task(p, t, headers("currency")))
    return p


@pytest.fixture
def t(zeebe: Zeebe) -> str:
    """The type of its job."""
    return zeebe.name("t")


@pytest.mark.case(27, "d")
async def test_an_activated_job_says_what_it_is_and_until_when(zeebe: Zeebe, p: str, t: str) -> None:
    instance = await zeebe.create(p)
    job = await zeebe.job(t, lease=30_000)
    assert (job.type, job.elementId, job.bpmnProcessId, job.processInstanceKey) == (t, "task", p, instance)
    assert (job.retries, job.worker, job.tenantId) == (3, "conformance", "<default>")
    assert json.loads(job.customHeaders) == {"currency": "v"}
    assert abs(job.deadline - zeebe.clock.now() - 30_000) < 2000


@pytest.mark.case(28, "s")
async def test_a_poll_without_type_or_timeout_or_number_of_jobs_is_refused(zeebe: Zeebe, t: str) -> None:
    for poll in (zeebe.jobs(""), zeebe.jobs(t, lease=0), zeebe.jobs(t, 0)):
        await refused(poll, StatusCode.INVALID_ARGUMENT)


@pytest.mark.case(29, "d")
async def test_a_poll_that_must_not_wait_ends_at_once(zeebe: Zeebe, t: str) -> None:
    begun = time.monotonic()
    assert await zeebe.jobs(t, wait=-1) == []
    assert time.monotonic() - begun < 1


@pytest.mark.case(30, "d")
async def test_a_poll_waits_as_long_as_it_was_told(zeebe: Zeebe, t: str) -> None:
    begun = time.monotonic()
    assert await zeebe.jobs(t, wait=1000) == []
    assert 0.9 <= time.monotonic() - begun < 3


@pytest.mark.case("30b", "d")
async def test_a_poll_that_waits_gets_the_job_that_comes(zeebe: Zeebe, p: str, t: str) -> None:
    poll = asyncio.create_task(zeebe.jobs(t, wait=10_000))
    assert await asyncio.wait([poll], timeout=0.5) == (set(), {poll})
    await zeebe.create(p)
    begun = time.monotonic()
    assert len(await poll) == 1
    assert time.monotonic() - begun < 1


@pytest.mark.case(31, "s")
async def test_jobs_are_given_out_in_their_order_and_no_more_than_asked_for(zeebe: Zeebe, p: str, t: str) -> None:
    instances = [await zeebe.create(p) for _ in range(5)]
    first = await zeebe.some_jobs(t, 3)
    assert [job.processInstanceKey for job in first] == instances[:3]
    second = await zeebe.some_jobs(t, 2)
    assert [job.processInstanceKey for job in second] == instances[3:]
    assert max(job.key for job in first) < min(job.key for job in second)


@pytest.mark.case(32, "d")
async def test_a_job_has_the_fetched_variables_only(zeebe: Zeebe, p: str, t: str) -> None:
    for _ in range(3):
        await zeebe.create(p, a=1, b=2)
    assert variables_of(await zeebe.job(t, fetch=("a",))) == {"a": 1}
    assert variables_of(await zeebe.job(t, fetch=("zz",))) == {}
    assert variables_of(await zeebe.job(t)) == {"a": 1, "b": 2}


@pytest.mark.case(33, "m")
async def test_a_job_comes_again_after_its_timeout_with_all_retries(zeebe: Zeebe, p: str, t: str, clock: Clock) -> None:
    await zeebe.create(p)
    first = await zeebe.job(t, lease=1000)
    assert await zeebe.jobs(t) == []
    await clock.advance(1000)
    again = await zeebe.job(t)
    assert (again.key, again.retries) == (first.key, first.retries)
    assert clock.now() >= first.deadline


@pytest.mark.case(34, "t")
async def test_after_a_timeout_the_first_answer_counts(zeebe: Zeebe, p: str, t: str, clock: Clock) -> None:
    result = zeebe.result(p)
    first = await zeebe.job(t, lease=500)
    await clock.advance(500)
    second = await zeebe.job(t)
    await zeebe.complete(first, by="first")
    await refused(zeebe.complete(second, by="second"), StatusCode.NOT_FOUND)
    assert await result == {"by": "first"}


@pytest.mark.case(35, "t")
async def test_a_job_can_be_completed_without_activation(zeebe: Zeebe, p: str, t: str) -> None:
    result = zeebe.result(p)
    (job,) = await zeebe.found("jobs", type=t)
    await zeebe.complete(int(job["jobKey"]))
    assert await result == {}


@pytest.mark.case(36, "d")
async def test_a_failed_job_with_retries_comes_again_at_once(zeebe: Zeebe, p: str, t: str) -> None:
    await zeebe.create(p)
    job = await zeebe.job(t)
    await zeebe.fail(job, 2)
    again = await zeebe.job(t)
    assert (again.key, again.retries) == (job.key, 2)
    await zeebe.complete(again)
    await refused(zeebe.complete(again), StatusCode.NOT_FOUND, str(job.key))


@pytest.mark.case(37, "d")
async def test_a_failed_job_with_a_backoff_comes_again_after_it(zeebe: Zeebe, p: str, t: str, clock: Clock) -> None:
    await zeebe.create(p)
    failed = await zeebe.job(t)
    begun = clock.now()
    await zeebe.fail(failed, 1, back_off=1000)
    assert await zeebe.jobs(t) == []
    await clock.advance(999 if clock.is_controlled else 0)
    assert await zeebe.jobs(t) == []
    await clock.advance(1)
    again = await zeebe.job(t)
    assert (again.key, again.retries) == (failed.key, 1)
    assert clock.now() >= begun + 1000


@pytest.mark.case(38, "s")
async def test_a_job_that_failed_for_good_is_an_incident_and_takes_no_answer(zeebe: Zeebe, p: str, t: str) -> None:
    instance = await zeebe.create(p)
    job = await zeebe.job(t)
    await zeebe.fail(job, 0, "boom")
    incident = await zeebe.incident(instance)
    assert (incident["errorType"], incident["errorMessage"]) == ("JOB_NO_RETRIES", "boom")
    assert (incident["jobKey"], incident["elementId"]) == (str(job.key), "task")
    assert incident["elementInstanceKey"] == str(job.elementInstanceKey)
    for answer in (zeebe.complete(job), zeebe.fail(job, 1), zeebe.throw(job, "E")):
        await refused(answer, StatusCode.FAILED_PRECONDITION, "FAILED")


@pytest.mark.case(39, "s")
async def test_a_job_that_failed_without_message_has_no_more_retries_left(zeebe: Zeebe, p: str, t: str) -> None:
    instance = await zeebe.create(p)
    await zeebe.fail(await zeebe.job(t))
    assert (await zeebe.incident(instance))["errorMessage"] == "No more retries left."


@pytest.mark.case(40, "m")
async def test_an_incident_of_a_job_is_resolved_after_its_retries(zeebe: Zeebe, p: str, t: str) -> None:
    instance = await zeebe.create(p)
    job = await zeebe.job(t)
    await zeebe.fail(job)
    incident = await zeebe.incident(instance)
    await refused(zeebe.resolve(incident), StatusCode.FAILED_PRECONDITION)
    await zeebe.retries(job, 2)
    assert await zeebe.jobs(t) == []
    await zeebe.resolve(incident)
    again = await zeebe.job(t)
    assert (again.key, again.retries) == (job.key, 2)
    await refused(zeebe.resolve(incident), StatusCode.NOT_FOUND)


@pytest.mark.case(41, "s")
async def test_a_second_failure_for_good_is_a_new_incident(zeebe: Zeebe, p: str, t: str) -> None:
    instance = await zeebe.create(p)
    job = await zeebe.job(t)
    await zeebe.fail(job)
    first = await zeebe.incident(instance)
    await zeebe.retries(job, 1)
    await zeebe.resolve(first)
    await zeebe.found("incidents", incidentKey=first["incidentKey"], state="RESOLVED")
    await zeebe.fail(await zeebe.job(t))
    assert int((await zeebe.incident(instance))["incidentKey"]) > int(first["incidentKey"])


@pytest.mark.case(42, "s")
async def test_retries_are_more_than_none_and_of_a_job_that_is_there(zeebe: Zeebe, p: str, t: str) -> None:
    await zeebe.create(p)
    job = await zeebe.job(t)
    await refused(zeebe.retries(job, 0), StatusCode.INVALID_ARGUMENT)
    await refused(zeebe.retries(job.key + 10**9, 1), StatusCode.NOT_FOUND)


@pytest.mark.case(43, "d")
async def test_variables_of_a_failure_are_seen_by_the_next_worker_and_gone_with_the_task(
    zeebe: Zeebe, p: str, t: str
) -> None:
    result = zeebe.result(p)
    await zeebe.fail(await zeebe.job(t), 1, x=1)
    again = await zeebe.job(t)
    assert variables_of(again) == {"x": 1}
    await zeebe.complete(again)
    assert await result == {}


@pytest.mark.case(48, "s")
async def test_a_job_is_given_to_one_of_two_polls(zeebe: Zeebe, p: str, t: str) -> None:
    for _ in range(2):
        await zeebe.create(p)
    await zeebe.job(t)
    polls = await asyncio.gather(zeebe.jobs(t, 1, wait=1000), zeebe.jobs(t, 1, wait=1000))
    assert sum(map(len, polls)) == 1


@pytest.mark.case(49, "s")
async def test_a_batch_is_cut_where_it_would_be_too_large(zeebe: Zeebe, p: str, t: str) -> None:
    large = "x" * 1_500_000
    for _ in range(3):
        await zeebe.create(p, large=large, small=1)
    batch = await zeebe.jobs(t, 3, wait=5000)
    assert 0 < len(batch) < 3
    rest = await zeebe.some_jobs(t, 3 - len(batch))
    assert len({job.key for job in (*batch, *rest)}) == 3
    for job in (*batch, *rest):
        await zeebe.fail(job, 1)
    small = await zeebe.jobs(t, 3, wait=5000, fetch=("small",))
    assert [variables_of(job) for job in small] == [{"small": 1}] * 3
