"""Each call of the gateway: what it answers, and the status of what it refuses."""

import asyncio
import json
from collections.abc import Awaitable
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pyzeebe import ZeebeClient
from pyzeebe.proto import gateway_pb2 as pb

from tests.engine import row
from tests.engine.process import PATIENCE, EngineProcess, activate, create, deploy, task
from workers.engine.gateway.status import MAX_TEXT, shorten

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

Code = grpc.StatusCode
NOBODY = (1 << 51) + 10**15
"""A well-formed key that no engine has come to."""


async def refused(call: Awaitable[object], code: grpc.StatusCode) -> str:
    """Expect a status; return its text."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    assert error.value.code() is code, error.value.details()
    return error.value.details() or ""


async def job_of(gateway: "GatewayAsyncStub", job_type: str) -> pb.ActivatedJob:
    """Deploy, start and activate."""
    await deploy(gateway, task(job_type))
    await create(gateway, job_type)
    [job] = await activate(gateway, job_type)
    return job


async def test_the_topology_is_one_healthy_leader_of_level_8_9(
    saga_engine: EngineProcess, gateway: "GatewayAsyncStub"
) -> None:
    topology = await gateway.Topology(pb.TopologyRequest())
    assert topology.gatewayVersion == "8.9.0"
    assert (topology.clusterSize, topology.partitionsCount, topology.replicationFactor) == (1, 1, 1)
    [broker] = topology.brokers
    [partition] = broker.partitions
    assert (broker.nodeId, broker.version, broker.host) == (0, "8.9.0", "saga-engine")
    assert str(broker.port) == saga_engine.gateway.split(":")[1]
    assert (partition.partitionId, partition.role, partition.health) == (1, pb.Partition.LEADER, pb.Partition.HEALTHY)


async def test_health_is_served_on_the_same_port(saga_engine: EngineProcess) -> None:
    async with grpc.aio.insecure_channel(saga_engine.gateway) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        for service in ("", "gateway_protocol.Gateway"):
            answer = await check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_the_same_bytes_deployed_again_are_the_same_version(gateway: "GatewayAsyncStub", job_type: str) -> None:
    first, again = [await deploy(gateway, task(job_type)) for _ in range(2)]
    other = await deploy(gateway, task(job_type, element="other"))
    of = [answer.deployments[0].process for answer in (first, again, other)]
    assert [each.version for each in of] == [1, 1, 2]
    assert of[0] == again.deployments[0].process
    assert (of[0].bpmnProcessId, of[0].resourceName, of[0].tenantId) == (job_type, "process.bpmn", "<default>")
    assert first.key != again.key


async def test_a_form_is_deployed_beside_a_process(gateway: "GatewayAsyncStub", job_type: str) -> None:
    form = json.dumps({"id": f"form-{job_type}", "type": "default", "components": []}).encode()
    resources = [pb.Resource(name="a.bpmn", content=task(job_type)), pb.Resource(name="b.form", content=form)]
    answer = await gateway.DeployResource(pb.DeployResourceRequest(resources=resources))
    process, deployed = answer.deployments
    assert process.process.bpmnProcessId == job_type
    assert (deployed.form.formId, deployed.form.version, deployed.form.resourceName) == (
        f"form-{job_type}",
        1,
        "b.form",
    )
    assert deployed.form.formKey > 0


async def test_deploy_process_answers_as_older_clients_expect(gateway: "GatewayAsyncStub", job_type: str) -> None:
    request = pb.DeployProcessRequest(processes=[pb.ProcessRequestObject(name="a.bpmn", definition=task(job_type))])
    answer = await gateway.DeployProcess(request)
    assert [each.bpmnProcessId for each in answer.processes] == [job_type]
    assert answer.key > 0


async def test_a_broken_resource_refuses_all_of_its_deployment_by_name(
    gateway: "GatewayAsyncStub", job_type: str
) -> None:
    resources = [pb.Resource(name="good.bpmn", content=task(job_type)), pb.Resource(name="bad.bpmn", content=b"<bpmn")]
    text = await refused(gateway.DeployResource(pb.DeployResourceRequest(resources=resources)), Code.INVALID_ARGUMENT)
    assert "bad.bpmn" in text
    await refused(create(gateway, job_type), Code.NOT_FOUND)


async def test_a_deployment_of_nothing_is_refused(gateway: "GatewayAsyncStub") -> None:
    text = await refused(gateway.DeployResource(pb.DeployResourceRequest()), Code.INVALID_ARGUMENT)
    assert "at least one resource" in text
    await refused(gateway.DeployProcess(pb.DeployProcessRequest()), Code.INVALID_ARGUMENT)


async def test_a_status_text_ends_at_6_kb_and_says_how_much_more_there_is(
    gateway: "GatewayAsyncStub", job_type: str
) -> None:
    broken = '<bpmn:serviceTask id="{0}" />'
    elements = {f"Task_{number}_ä": broken.format(f"Task_{number}_ä") for number in range(300)}
    text = await refused(deploy(gateway, row(job_type, elements)), Code.INVALID_ARGUMENT)
    assert "Task_0_ä" in text
    assert text.endswith(" more")
    assert len(text.encode()) <= MAX_TEXT


def test_what_is_kept_of_a_long_text_is_whole_lines_or_whole_characters() -> None:
    assert shorten("short") == "short"
    lines = shorten("\n".join(f"line {number}" for number in range(2000)))
    kept = lines.split("\n")
    assert kept[-1] == f"and {2000 - len(kept) + 1} more"
    assert kept[-2] == f"line {len(kept) - 2}"
    one = shorten("ä" * 9000)
    characters = one.count("ä")
    assert one == "ä" * characters + f"... and {9000 - characters} more"
    assert characters * 6 <= MAX_TEXT


async def test_an_instance_is_started_by_id_version_and_key(gateway: "GatewayAsyncStub", job_type: str) -> None:
    deployed = (await deploy(gateway, task(job_type))).deployments[0].process
    for chosen in (
        {"bpmnProcessId": job_type, "version": -1},
        {"bpmnProcessId": job_type, "version": 1},
        {"processDefinitionKey": deployed.processDefinitionKey},
    ):
        answer = await gateway.CreateProcessInstance(pb.CreateProcessInstanceRequest(**chosen))
        assert answer.processDefinitionKey == deployed.processDefinitionKey
        assert (answer.bpmnProcessId, answer.version, answer.tenantId) == (job_type, 1, "<default>")
    assert len(await activate(gateway, job_type)) == 3


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (pb.CreateProcessInstanceRequest(bpmnProcessId="nobody", version=-1), Code.NOT_FOUND),
        (pb.CreateProcessInstanceRequest(processDefinitionKey=NOBODY), Code.NOT_FOUND),
        (pb.CreateProcessInstanceRequest(), Code.INVALID_ARGUMENT),
        (pb.CreateProcessInstanceRequest(bpmnProcessId="nobody", tenantId="other"), Code.INVALID_ARGUMENT),
    ],
)
async def test_what_cannot_be_started_is_refused(
    gateway: "GatewayAsyncStub", request_: pb.CreateProcessInstanceRequest, code: grpc.StatusCode
) -> None:
    await refused(gateway.CreateProcessInstance(request_), code)
    with_result = pb.CreateProcessInstanceWithResultRequest(request=request_)
    await refused(gateway.CreateProcessInstanceWithResult(with_result), code)


@pytest.mark.parametrize("variables", ["[1]", "1", "{", '"text"', "[" * 100_000])
async def test_variables_that_are_not_an_object_are_refused(
    gateway: "GatewayAsyncStub", job_type: str, variables: str
) -> None:
    await deploy(gateway, task(job_type))
    await refused(create(gateway, job_type, variables), Code.INVALID_ARGUMENT)


async def test_an_instance_starts_at_the_element_it_is_told_to(gateway: "GatewayAsyncStub", job_type: str) -> None:
    await deploy(gateway, task(job_type))
    start = pb.ProcessInstanceCreationStartInstruction
    request = pb.CreateProcessInstanceRequest(
        bpmnProcessId=job_type, version=-1, startInstructions=[start(elementId="-")]
    )
    text = await refused(gateway.CreateProcessInstance(request), Code.INVALID_ARGUMENT)
    assert "'-'" in text
    request.startInstructions[0].elementId = "task"
    await gateway.CreateProcessInstance(request)
    assert len(await activate(gateway, job_type)) == 1


async def test_a_result_has_the_variables_that_were_asked_for(gateway: "GatewayAsyncStub", job_type: str) -> None:
    await deploy(gateway, task(job_type))
    request = pb.CreateProcessInstanceWithResultRequest(
        request=pb.CreateProcessInstanceRequest(bpmnProcessId=job_type, version=-1, variables='{"a": 1, "b": 2}'),
        fetchVariables=["b", "c", "none"],
        requestTimeout=20_000,
    )
    call = asyncio.ensure_future(gateway.CreateProcessInstanceWithResult(request))
    [job] = await activate(gateway, job_type, wait=20_000)
    await gateway.CompleteJob(pb.CompleteJobRequest(jobKey=job.key, variables='{"c": [3]}'))
    answer = await call
    assert json.loads(answer.variables) == {"b": 2, "c": [3]}
    assert (answer.processInstanceKey, answer.tenantId) == (job.processInstanceKey, "<default>")


async def test_a_result_that_is_late_is_deadline_exceeded_and_the_instance_goes_on(
    gateway: "GatewayAsyncStub", job_type: str
) -> None:
    await deploy(gateway, task(job_type))
    request = pb.CreateProcessInstanceWithResultRequest(
        request=pb.CreateProcessInstanceRequest(bpmnProcessId=job_type, version=-1), requestTimeout=200
    )
    await refused(gateway.CreateProcessInstanceWithResult(request), Code.DEADLINE_EXCEEDED)
    [job] = await activate(gateway, job_type)
    await gateway.CompleteJob(pb.CompleteJobRequest(jobKey=job.key))


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


async def test_a_definition_is_deleted_once_none_of_its_instances_runs(
    gateway: "GatewayAsyncStub", job_type: str
) -> None:
    deployed = (await deploy(gateway, task(job_type))).deployments[0].process
    instance = await create(gateway, job_type)
    delete = pb.DeleteResourceRequest(resourceKey=deployed.processDefinitionKey)
    await refused(gateway.DeleteResource(delete), Code.FAILED_PRECONDITION)
    await gateway.CancelProcessInstance(pb.CancelProcessInstanceRequest(processInstanceKey=instance))
    await gateway.DeleteResource(delete)
    await refused(gateway.DeleteResource(delete), Code.NOT_FOUND)
    await refused(create(gateway, job_type), Code.NOT_FOUND)


async def test_a_call_that_is_not_served_says_so_in_a_sentence(
    saga_engine: EngineProcess, gateway: "GatewayAsyncStub"
) -> None:
    calls: dict[str, Awaitable[object]] = {
        "BroadcastSignal": gateway.BroadcastSignal(pb.BroadcastSignalRequest(signalName="x")),
        "EvaluateDecision": gateway.EvaluateDecision(pb.EvaluateDecisionRequest(decisionId="x")),
        "MigrateProcessInstance": gateway.MigrateProcessInstance(pb.MigrateProcessInstanceRequest()),
    }
    for name, call in calls.items():
        assert f"does not serve {name}" in await refused(call, Code.UNIMPLEMENTED)
    async with grpc.aio.insecure_channel(saga_engine.gateway) as channel:
        newer: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/gateway_protocol.Gateway/FromTheFuture"
        )
        assert "does not serve FromTheFuture" in await refused(newer(b""), Code.UNIMPLEMENTED)


async def test_large_variables_go_in_and_come_out(gateway: "GatewayAsyncStub", job_type: str) -> None:
    await deploy(gateway, task(job_type))
    text = "x" * 1_600_000
    await create(gateway, job_type, json.dumps({"text": text}))
    [job] = await activate(gateway, job_type)
    assert json.loads(job.variables) == {"text": text}
    deep = "[" * 500 + "]" * 500
    await gateway.CompleteJob(pb.CompleteJobRequest(jobKey=job.key, variables=f'{{"deep": {deep}}}'))


async def test_pyzeebe_deploys_starts_and_publishes(
    saga_engine: EngineProcess, gateway: "GatewayAsyncStub", job_type: str
) -> None:
    await deploy(gateway, task(job_type))
    async with grpc.aio.insecure_channel(saga_engine.gateway) as channel:
        client = ZeebeClient(channel)
        await asyncio.wait_for(client.healthcheck(), PATIENCE)
        instance = await client.run_process(job_type, {"a": 1})
        await client.publish_message(job_type, "key", {"b": 2})
        await client.cancel_process_instance(instance.process_instance_key)
