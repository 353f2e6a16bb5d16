"""What the gateway does with jobs, messages and running instances, and the status of what it refuses."""

import json
from typing import TYPE_CHECKING

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from tests.engine.process import EngineProcess, activate, create, deploy, refused, task

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

Code = grpc.StatusCode
NOBODY = (1 << 51) + 10**15
"""A well-formed key that no engine has come to."""


async def job_of(gateway: "GatewayAsyncStub", job_type: str) -> pb.ActivatedJob:
    """Deploy, start and activate."""
    await deploy(gateway, task(job_type))
    await create(gateway, job_type)
    [job] = await activate(gateway, job_type)
    return job


async def test_a_completed_job_is_gone(gateway: "GatewayAsyncStub", job_type: str) -> None:
    job = await job_of(gateway, job_type)
    await gateway.CompleteJob(pb.CompleteJobRequest(jobKey=job.key, variables="{}"))
    key = job.key
    text = await refused(gateway.CompleteJob(pb.CompleteJobRequest(jobKey=key)), Code.NOT_FOUND)
    assert text == (
        f"Command 'COMPLETE' rejected with code 'NOT_FOUND': "
        f"Expected to complete job with key '{key}', but no such job was found"
    )
    await refused(gateway.FailJob(pb.FailJobRequest(jobKey=key)), Code.NOT_FOUND)
    await refused(gateway.ThrowError(pb.ThrowErrorRequest(jobKey=key)), Code.NOT_FOUND)
    await refused(gateway.UpdateJobRetries(pb.UpdateJobRetriesRequest(jobKey=key, retries=1)), Code.NOT_FOUND)
    await refused(gateway.UpdateJobTimeout(pb.UpdateJobTimeoutRequest(jobKey=key, timeout=1)), Code.NOT_FOUND)


async def test_a_job_without_retries_is_an_incident_that_is_resolved_once_it_has_some(
    saga_engine: EngineProcess, gateway: "GatewayAsyncStub", job_type: str
) -> None:
    job = await job_of(gateway, job_type)
    await gateway.FailJob(pb.FailJobRequest(jobKey=job.key, retries=0, errorMessage="broken"))
    complete = pb.CompleteJobRequest(jobKey=job.key)
    assert "'FAILED'" in await refused(gateway.CompleteJob(complete), Code.FAILED_PRECONDITION)
    [incident] = [
        each
        for each in saga_engine.records()
        if (each.value_type, each.intent) == ("INCIDENT", "CREATED") and each.value["jobKey"] == job.key
    ]
    assert incident.value["errorMessage"] == "broken"
    resolve = pb.ResolveIncidentRequest(incidentKey=incident.key)
    await refused(gateway.ResolveIncident(resolve), Code.FAILED_PRECONDITION)
    zero = pb.UpdateJobRetriesRequest(jobKey=job.key, retries=0)
    await refused(gateway.UpdateJobRetries(zero), Code.INVALID_ARGUMENT)
    await gateway.UpdateJobRetries(pb.UpdateJobRetriesRequest(jobKey=job.key, retries=2))
    await gateway.ResolveIncident(resolve)
    [again] = await activate(gateway, job_type)
    assert (again.key, again.retries) == (job.key, 2)
    await refused(gateway.ResolveIncident(resolve), Code.NOT_FOUND)


async def test_a_job_comes_back_after_its_backoff_and_not_before(gateway: "GatewayAsyncStub", job_type: str) -> None:
    job = await job_of(gateway, job_type)
    await gateway.FailJob(pb.FailJobRequest(jobKey=job.key, retries=1, retryBackOff=600))
    assert await activate(gateway, job_type) == []
    [again] = await activate(gateway, job_type, wait=10_000)
    assert again.key == job.key


async def test_an_error_that_nobody_catches_is_accepted_and_stands_as_an_incident(
    gateway: "GatewayAsyncStub", job_type: str
) -> None:
    job = await job_of(gateway, job_type)
    await gateway.ThrowError(pb.ThrowErrorRequest(jobKey=job.key, errorCode="NOBODY", errorMessage="x"))
    again = gateway.ThrowError(pb.ThrowErrorRequest(jobKey=job.key, errorCode="NOBODY"))
    assert "'ERROR_THROWN'" in await refused(again, Code.FAILED_PRECONDITION)


async def test_a_lease_is_made_longer_only_while_there_is_one(gateway: "GatewayAsyncStub", job_type: str) -> None:
    await deploy(gateway, task(job_type))
    await create(gateway, job_type)
    [job] = await activate(gateway, job_type, lease=1)
    [job] = await activate(gateway, job_type, lease=500, wait=10_000)
    await gateway.UpdateJobTimeout(pb.UpdateJobTimeoutRequest(jobKey=job.key, timeout=60_000))
    assert await activate(gateway, job_type, wait=800) == []
    await gateway.FailJob(pb.FailJobRequest(jobKey=job.key, retries=1))
    update = pb.UpdateJobTimeoutRequest(jobKey=job.key, timeout=1000)
    await refused(gateway.UpdateJobTimeout(update), Code.FAILED_PRECONDITION)


async def test_a_lease_of_all_the_time_there_is_does_no_harm(gateway: "GatewayAsyncStub", job_type: str) -> None:
    await deploy(gateway, task(job_type))
    await create(gateway, job_type)
    [job] = await activate(gateway, job_type, lease=2**63 - 1)
    await gateway.UpdateJobTimeout(pb.UpdateJobTimeoutRequest(jobKey=job.key, timeout=2**63 - 1))
    await gateway.FailJob(pb.FailJobRequest(jobKey=job.key, retries=1, retryBackOff=2**63 - 1))
    await gateway.PublishMessage(pb.PublishMessageRequest(name=job_type, timeToLive=2**63 - 1))
    await gateway.Topology(pb.TopologyRequest())


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"type": " "}, "type"), ({"timeout": 0}, "timeout"), ({"maxJobsToActivate": 0}, "max jobs")],
)
async def test_a_poll_that_can_bring_nothing_is_refused(
    gateway: "GatewayAsyncStub", changes: dict[str, object], named: str
) -> None:
    request = pb.ActivateJobsRequest(**{"type": "x", "timeout": 1, "maxJobsToActivate": 1, **changes})  # type: ignore[arg-type]
    with pytest.raises(grpc.aio.AioRpcError) as error:
        [_ async for _ in gateway.ActivateJobs(request)]
    assert error.value.code() is Code.INVALID_ARGUMENT
    assert f"with {named}" in (error.value.details() or "")


async def test_other_tenants_are_refused(gateway: "GatewayAsyncStub") -> None:
    poll = pb.ActivateJobsRequest(type="x", timeout=1, maxJobsToActivate=1, tenantIds=["other"])
    stream = pb.StreamActivatedJobsRequest(type="x", timeout=1, tenantIds=["other"])
    for call in (gateway.ActivateJobs(poll), gateway.StreamActivatedJobs(stream)):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            [_ async for _ in call]
        assert error.value.code() is Code.INVALID_ARGUMENT
    await refused(gateway.DeployResource(pb.DeployResourceRequest(tenantId="other")), Code.INVALID_ARGUMENT)
    await refused(gateway.PublishMessage(pb.PublishMessageRequest(name="x", tenantId="other")), Code.INVALID_ARGUMENT)


async def test_a_message_id_is_blocked_while_the_message_is_buffered(
    gateway: "GatewayAsyncStub", job_type: str
) -> None:
    request = pb.PublishMessageRequest(name=job_type, correlationKey="a", messageId="1", timeToLive=60_000)
    answer = await gateway.PublishMessage(request)
    assert answer.key > 0
    assert answer.tenantId == "<default>"
    assert "'1'" in await refused(gateway.PublishMessage(request), Code.ALREADY_EXISTS)
    await refused(gateway.PublishMessage(pb.PublishMessageRequest(correlationKey="a")), Code.INVALID_ARGUMENT)


async def test_variables_are_set_where_the_instance_is_alive(gateway: "GatewayAsyncStub", job_type: str) -> None:
    await deploy(gateway, task(job_type))
    instance = await create(gateway, job_type)
    request = pb.SetVariablesRequest(elementInstanceKey=instance, variables='{"a": "set"}')
    assert (await gateway.SetVariables(request)).key > 0
    [job] = await activate(gateway, job_type)
    assert json.loads(job.variables) == {"a": "set"}
    request.elementInstanceKey = NOBODY
    await refused(gateway.SetVariables(request), Code.NOT_FOUND)


async def test_a_cancelled_instance_is_gone_with_its_job(gateway: "GatewayAsyncStub", job_type: str) -> None:
    job = await job_of(gateway, job_type)
    request = pb.CancelProcessInstanceRequest(processInstanceKey=job.processInstanceKey)
    await gateway.CancelProcessInstance(request)
    await refused(gateway.CancelProcessInstance(request), Code.NOT_FOUND)
    await refused(gateway.CompleteJob(pb.CompleteJobRequest(jobKey=job.key)), Code.NOT_FOUND)


async def test_a_modification_begins_a_task_anew_with_a_variable_of_its_own(
    gateway: "GatewayAsyncStub", job_type: str
) -> None:
    job = await job_of(gateway, job_type)
    message = pb.ModifyProcessInstanceRequest
    variables = message.VariableInstruction(variables='{"own": 1}', scopeId="task")
    request = message(
        processInstanceKey=job.processInstanceKey,
        activateInstructions=[message.ActivateInstruction(elementId="task", variableInstructions=[variables])],
        terminateInstructions=[message.TerminateInstruction(elementInstanceKey=job.elementInstanceKey)],
    )
    await gateway.ModifyProcessInstance(request)
    [again] = await activate(gateway, job_type)
    assert again.key != job.key
    assert json.loads(again.variables) == {"own": 1}
    text = await refused(gateway.ModifyProcessInstance(request), Code.INVALID_ARGUMENT)
    assert f"'{job.elementInstanceKey}'" in text
    request.processInstanceKey = NOBODY
    await refused(gateway.ModifyProcessInstance(request), Code.NOT_FOUND)


async def test_large_variables_go_in_and_come_out(gateway: "GatewayAsyncStub", job_type: str) -> None:
    await deploy(gateway, task(job_type))
    text = "x" * 1_600_000
    await create(gateway, job_type, json.dumps({"text": text}))
    [job] = await activate(gateway, job_type)
    assert json.loads(job.variables) == {"text": text}
    deep = "[" * 500 + "]" * 500
    await gateway.CompleteJob(pb.CompleteJobRequest(jobKey=job.key, variables=f'{{"deep": {deep}}}'))
