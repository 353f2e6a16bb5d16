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

from saga.engine.gateway.status import MAX_TEXT, shorten
from tests.engine import row
from tests.engine.process import TIMEOUT, EngineProcess, activate, create, deploy, refused, task

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

Code = grpc.StatusCode
NOBODY = (1 << 51) + 10**15
"""A well-formed key that no engine has come to."""


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


async def test_pyzeebe_deploys_starts_and_publishes(
    saga_engine: EngineProcess, gateway: "GatewayAsyncStub", job_type: str
) -> None:
    await deploy(gateway, task(job_type))
    async with grpc.aio.insecure_channel(saga_engine.gateway) as channel:
        client = ZeebeClient(channel)
        await asyncio.wait_for(client.healthcheck(), TIMEOUT)
        instance = await client.run_process(job_type, {"a": 1})
        await client.publish_message(job_type, "key", {"b": 2})
        await client.cancel_process_instance(instance.process_instance_key)
