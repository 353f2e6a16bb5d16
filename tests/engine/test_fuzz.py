"""Whatever a client sends over gRPC is answered with what it did or why not, and nothing is left half done."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random, SystemRandom

import grpc
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from saga.engine.gateway.servicer import SERVICE
from tests.amount import portions
from tests.engine.core.conftest import replay
from tests.engine.core.invariants import check
from tests.engine.core.scenario import COMMON, FORM, JOB_TYPES, LEAF, ORDER
from tests.engine.messages import Known, messages
from tests.engine.mutation import mutated
from tests.engine.process import TIMEOUT, EngineProcess, running

Code = grpc.StatusCode
ANSWERS = {
    Code.OK,
    Code.INVALID_ARGUMENT,
    Code.NOT_FOUND,
    Code.ALREADY_EXISTS,
    Code.FAILED_PRECONDITION,
    Code.RESOURCE_EXHAUSTED,
}
WAITS = {"ActivateJobs", "CreateProcessInstanceWithResult", "StreamActivatedJobs"}
"""Calls that may wait as long as the client does."""
UNSERVED = {"BroadcastSignal", "EvaluateDecision", "MigrateProcessInstance"}
WAIT = 0.03
"""Seconds for a call that may wait for ever."""
TEXTS = (
    "order",
    "common",
    "leaf",
    *JOB_TYPES,
    "open",
    "ping",
    "late",
    "stop",
    "1",
    "SOFT",
    "HARD",
    "u",
    "each_of",
    "f",
)


class Client:
    """Sends requests to an engine and looks at each answer."""

    def __init__(self, stub: GatewayStub, known: Known) -> None:
        self.stub = stub
        self.known = known
        self.sent = 0

    def call(self, method: str, request: Message) -> Message | None:
        """Send a request and check its status; return the answer, if there is one."""
        allowed = {Code.UNIMPLEMENTED} if method in UNSERVED else ANSWERS
        timeout = WAIT if method in WAITS else TIMEOUT
        allowed = allowed | {Code.DEADLINE_EXCEEDED} if method in WAITS else allowed
        self.sent += 1
        answer, code, told = None, Code.OK, ""
        try:
            if SERVICE.methods_by_name[method].server_streaming:
                for answer in getattr(self.stub, method)(request, timeout=timeout):
                    self.note(answer)
            else:
                answer = getattr(self.stub, method)(request, timeout=timeout)
                self.note(answer)
        except grpc.RpcError as error:
            code, told = error.code(), str(error.details())
        assert code in allowed, f"{method}: {code} {told}\n{request}"
        return answer if code is Code.OK else None

    def note(self, answer: Message) -> None:
        """Remember the keys of an answer, so that other requests are about them."""
        for described, value in answer.ListFields():
            if described.message_type is not None:
                for each in value if described.is_repeated else [value]:
                    self.note(each)
            elif described.name.lower().endswith("key") and isinstance(value, int):
                self.known.keys.append(value)

    def answers(self) -> None:
        """Check that the engine lives."""
        self.stub.Topology(pb.TopologyRequest(), timeout=TIMEOUT)


def with_client(engine: EngineProcess, play: Callable[[Client], None]) -> None:
    with grpc.insecure_channel(engine.gateway, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        client = Client(GatewayStub(channel), Known(TEXTS, [], (ORDER, COMMON, LEAF, FORM, b"", b"<x/>")))
        prepare(client)
        play(client)
        client.answers()


def prepare(client: Client) -> None:
    """Let the engine have something of most kinds."""
    resources = [("order.bpmn", ORDER), ("common.bpmn", COMMON), ("leaf.bpmn", LEAF), ("f.form", FORM)]
    client.call(
        "DeployResource",
        pb.DeployResourceRequest(resources=[pb.Resource(name=name, content=each) for name, each in resources]),
    )
    for variables in ('{"k": "1", "n": 1, "manual": true, "r": 1}', '{"k": "2", "n": 1, "manual": false}', "{}"):
        for process in ("order", "common"):
            client.call(
                "CreateProcessInstance",
                pb.CreateProcessInstanceRequest(bpmnProcessId=process, version=-1, variables=variables),
            )
    for job_type in JOB_TYPES:
        request = pb.ActivateJobsRequest(type=job_type, worker="w", timeout=60_000, maxJobsToActivate=2)
        client.call("ActivateJobs", request)


def given_requests(client: Client, method: str) -> Callable[[], None]:
    """Return what sends requests of one method, which Hypothesis draws."""

    @given(messages(SERVICE.methods_by_name[method].input_type, client.known))
    def send(request: Message) -> None:
        client.call(method, request)

    return send


def given_diagrams(client: Client) -> Callable[[], None]:
    """Return what deploys diagrams, which Hypothesis draws, and runs them."""

    @given(mutated(), st.randoms(use_true_random=False))
    def send(diagram: bytes, random: Random) -> None:
        deploy_and_run(client, diagram, random)

    return send


def quick(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


async def test_random_requests_of_each_method_are_answered_and_leave_nothing_half_done(tmp_path: Path) -> None:
    def play(client: Client) -> None:
        for _ in range(2):
            for method in SERVICE.methods_by_name:
                quick(4 if method in WAITS else 15)(given_requests(client, method))()

    await fuzz(tmp_path, play)


async def test_mutated_diagrams_are_deployed_and_run_or_refused(tmp_path: Path) -> None:
    def play(client: Client) -> None:
        quick(40)(given_diagrams(client))()

    await fuzz(tmp_path, play)


@pytest.mark.proof
async def test_the_same_holds_for_other_requests_and_diagrams_each_time(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    done = 0

    def play(client: Client) -> None:
        nonlocal done
        for portion in portions(60, 1):
            number = SystemRandom().getrandbits(32)
            print("seed", number)  # noqa: T201 - to play a failing run again
            many = settings(quick(60), derandomize=False)
            for method in SERVICE.methods_by_name:
                seed(number)(
                    settings(many, max_examples=5 if method in WAITS else 60)(given_requests(client, method))
                )()
            run = given_diagrams(client)
            seed(number)(many(run))()
            client.answers()
            done += portion

    await fuzz(tmp_path, play)
    record_property("seeds of requests", done)


async def fuzz(folder: Path, play: Callable[[Client], None]) -> None:
    """Let an engine be asked; then look at what it has in its log, and whether it starts from there."""
    async with running(data=folder / "data") as engine:
        await asyncio.to_thread(with_client, engine, play)
        assert await engine.stop() == 0
        log = engine.records()
    assert [record.rejection_reason for record in log if record.rejection_type == "PROCESSING_ERROR"] == []
    assert [
        record.value["errorMessage"] for record in log if "This is a bug" in record.value.get("errorMessage", "")
    ] == []
    check(replay(log).state)
    async with running(data=folder / "data") as engine, engine.stub() as stub:
        await stub.Topology(pb.TopologyRequest(), timeout=TIMEOUT)


def deploy_and_run(client: Client, diagram: bytes, random: Random) -> None:
    """Deploy a diagram; where it is taken, start it and do its jobs, some of them badly."""
    request = pb.DeployResourceRequest(resources=[pb.Resource(name="mutated.bpmn", content=diagram)])
    deployed = client.call("DeployResource", request)
    if deployed is None:
        return
    assert isinstance(deployed, pb.DeployResourceResponse)
    processes = [each.process.bpmnProcessId for each in deployed.deployments]
    started = [start(client, process) for process in processes for _ in range(2)]
    for _ in range(2):
        for job_type in JOB_TYPES:
            for job in activate(client, job_type):
                finish(client, job, random.randrange(4))
        for name in ("open", "ping", "late", "stop"):
            client.call(
                "PublishMessage", pb.PublishMessageRequest(name=name, correlationKey="1", variables='{"k":"1"}')
            )
    for instance in started:
        client.call("CancelProcessInstance", pb.CancelProcessInstanceRequest(processInstanceKey=instance))


def start(client: Client, process: str) -> int:
    variables = '{"k": "1", "n": 1, "manual": false, "r": 1}'
    created = client.call(
        "CreateProcessInstance",
        pb.CreateProcessInstanceRequest(bpmnProcessId=process, version=-1, variables=variables),
    )
    return created.processInstanceKey if isinstance(created, pb.CreateProcessInstanceResponse) else -1


def activate(client: Client, job_type: str) -> Iterator[int]:
    request = pb.ActivateJobsRequest(type=job_type, worker="w", timeout=60_000, maxJobsToActivate=5, requestTimeout=-1)
    answer = client.call("ActivateJobs", request)
    if isinstance(answer, pb.ActivateJobsResponse):
        yield from (job.key for job in answer.jobs)


def finish(client: Client, job: int, how: int) -> None:
    match how:
        case 0:
            client.call("FailJob", pb.FailJobRequest(jobKey=job, retries=0, errorMessage="boom"))
        case 1:
            client.call("ThrowError", pb.ThrowErrorRequest(jobKey=job, errorCode="SOFT"))
        case _:
            client.call("CompleteJob", pb.CompleteJobRequest(jobKey=job, variables='{"r": 1}'))
