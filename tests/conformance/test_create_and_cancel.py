"""Section 1, CreateProcessInstance and CancelProcessInstance."""

import asyncio

import pytest
from grpc import StatusCode
from pyzeebe.proto import gateway_pb2 as pb

from tests.conformance.diagrams import draw, one_task, passing
from tests.conformance.zeebe import TIMEOUT, Zeebe, refused, variables_of
from tests.engine.drawing import end, message, start, task


@pytest.mark.case(18, "t")
async def test_an_unknown_process_is_not_found_before_an_unknown_element_is_looked_for(zeebe: Zeebe) -> None:
    p = zeebe.name("p")
    await refused(zeebe.create(p), StatusCode.NOT_FOUND)
    await refused(zeebe.create(p, start_at="-"), StatusCode.NOT_FOUND)
    await zeebe.deploy(passing(p))
    await refused(zeebe.create(p, start_at="-"), StatusCode.INVALID_ARGUMENT, "'-'")


@pytest.mark.case(19, "d")
async def test_an_older_version_can_be_started(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    old = (await zeebe.deploy(passing(p))).deployments[0].process
    await zeebe.deploy(one_task(p, t))
    created = await zeebe.created(p, version=1)
    assert (created.version, created.processDefinitionKey) == (1, old.processDefinitionKey)


@pytest.mark.case(20, "s")
async def test_variables_are_an_object_and_an_empty_text_is_one(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    await zeebe.deploy(one_task(p, t))

    async def create(variables: str) -> None:
        request = pb.CreateProcessInstanceRequest(bpmnProcessId=p, version=-1, variables=variables)
        await zeebe.stub.CreateProcessInstance(request, timeout=TIMEOUT)

    for text in ("[1]", "7", "{"):
        await refused(create(text), StatusCode.INVALID_ARGUMENT)
    await create("")
    assert (await zeebe.job(t)).variables == "{}"


@pytest.mark.case(21, "s")
async def test_a_result_has_the_fetched_variables_that_are_there(zeebe: Zeebe) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(passing(p))
    assert await zeebe.result(p, fetch=("b", "c"), a=1, b=2) == {"b": 2}
    assert await zeebe.result(p, a=1, b=2) == {"a": 1, "b": 2}


@pytest.mark.case(22, "t")
async def test_an_instance_goes_on_when_its_result_is_overdue(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    await zeebe.deploy(one_task(p, t))
    request = pb.CreateProcessInstanceWithResultRequest(
        request=pb.CreateProcessInstanceRequest(bpmnProcessId=p, version=-1), requestTimeout=300
    )
    overdue = zeebe.stub.CreateProcessInstanceWithResult(request, timeout=TIMEOUT)
    await refused(overdue, StatusCode.DEADLINE_EXCEEDED)
    await zeebe.job(t)


@pytest.mark.case(23, "d")
async def test_an_instance_that_starts_at_an_element_has_not_been_before_it(zeebe: Zeebe) -> None:
    p, first, second = zeebe.names("p", "first", "second")
    await zeebe.deploy(draw(p, "start > a > b > end", start=start(), a=task(first), b=task(second), end=end()))
    result = zeebe.result(p, start_at="b")
    job = await zeebe.job(second)
    assert await zeebe.jobs(first) == []
    await zeebe.complete(job)
    assert await result == {}


@pytest.mark.case(24, "d")
async def test_a_process_without_none_start_cannot_be_created(zeebe: Zeebe) -> None:
    p, m = zeebe.names("p", "m")
    await zeebe.deploy(draw(p, "start > end", message(m), start=start(message=m), end=end()))
    await refused(zeebe.create(p), StatusCode.FAILED_PRECONDITION)


@pytest.mark.case(25, "s")
async def test_an_instance_is_cancelled_once_and_by_its_own_key_only(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    await zeebe.deploy(one_task(p, t))
    instance = await zeebe.create(p)
    job = await zeebe.job(t)
    await refused(zeebe.cancel(job.elementInstanceKey), StatusCode.NOT_FOUND)
    await zeebe.cancel(instance)
    await zeebe.ended(instance, "TERMINATED")
    await refused(zeebe.cancel(instance), StatusCode.NOT_FOUND, str(instance))


@pytest.mark.case(26, "m")
async def test_the_job_of_a_cancelled_instance_is_not_found(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    await zeebe.deploy(one_task(p, t))
    instance = await zeebe.create(p)
    job = await zeebe.job(t)
    await zeebe.cancel(instance)
    await zeebe.ended(instance, "TERMINATED")
    for answer in (zeebe.complete(job), zeebe.fail(job, 1), zeebe.throw(job, "E")):
        await refused(answer, StatusCode.NOT_FOUND)


@pytest.mark.case("0", "s")
async def test_keys_grow_from_an_instance_to_its_element_to_its_job(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    await zeebe.deploy(one_task(p, t))
    instances = await asyncio.gather(*(zeebe.create(p) for _ in range(3)))
    for job in await zeebe.some_jobs(t, 3):
        assert job.processInstanceKey in instances
        assert job.processInstanceKey < job.elementInstanceKey < job.key
        assert variables_of(job) == {}
