"""What a client of Zeebe's APIs can do and see: gRPC for commands, v2 for the rest."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
import httpx
from pyzeebe.proto import gateway_pb2 as pb

from tests.conformance.clock import Clock

if TYPE_CHECKING:
    # The asynchronous stub exists for type checkers only: at run time it is the same class.
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

TIMEOUT = 20.0
"""Seconds for whatever a test waits for: a cluster's searches lag, and a lost answer never comes."""
PAUSE = 0.01
"""Seconds between two looks."""
LONG_POLL = 5_000
"""Milliseconds that a poll for an expected job stays open."""
MINUTE = 60_000

Variables = dict[str, Any]
T = TypeVar("T")


class Zeebe:
    """The clients of one test; names that it makes are of this run and this test only."""

    def __init__(self, stub: "GatewayAsyncStub", rest: httpx.AsyncClient, clock: Clock, suffix: str) -> None:
        self.stub = stub
        self.rest = rest
        self.clock = clock
        self.suffix = suffix
        self.processes: set[str] = set()
        self._results: list[asyncio.Task[Variables]] = []

    def name(self, label: str) -> str:
        """Return a process id, job type or message name that no other test has; one label, one name."""
        return f"{label}-{self.suffix}"

    def names(self, *labels: str) -> tuple[str, ...]:
        return tuple(map(self.name, labels))

    async def deploy(self, *resources: bytes | tuple[str, bytes]) -> pb.DeployResourceResponse:
        """Deploy diagrams; one without a file name gets one by its place."""
        named = [
            each if isinstance(each, tuple) else (f"{self.name('file')}-{number}.bpmn", each)
            for number, each in enumerate(resources)
        ]
        request = pb.DeployResourceRequest(resources=[pb.Resource(name=name, content=text) for name, text in named])
        deployed = await self.stub.DeployResource(request, timeout=TIMEOUT)
        self.processes |= {each.process.bpmnProcessId for each in deployed.deployments}
        return deployed

    async def create(self, process: str, *, start_at: str = "", version: int = -1, **variables: object) -> int:
        """Start an instance and return its key."""
        return (await self.created(process, start_at=start_at, version=version, **variables)).processInstanceKey

    async def created(
        self, process: str, *, start_at: str = "", version: int = -1, **variables: object
    ) -> pb.CreateProcessInstanceResponse:
        request = pb.CreateProcessInstanceRequest(
            bpmnProcessId=process, version=version, variables=json.dumps(variables)
        )
        if start_at:
            request.startInstructions.add(elementId=start_at)
        return await self.stub.CreateProcessInstance(request, timeout=TIMEOUT)

    def result(
        self, process: str, *, start_at: str = "", fetch: tuple[str, ...] = (), **variables: object
    ) -> asyncio.Task[Variables]:
        """Start an instance; the task returns its variables when it has completed."""
        started = pb.CreateProcessInstanceRequest(bpmnProcessId=process, version=-1, variables=json.dumps(variables))
        if start_at:
            started.startInstructions.add(elementId=start_at)
        request = pb.CreateProcessInstanceWithResultRequest(
            request=started, requestTimeout=int(TIMEOUT * 1000), fetchVariables=fetch
        )

        async def wait() -> Variables:
            answer = await self.stub.CreateProcessInstanceWithResult(request, timeout=TIMEOUT)
            found: Variables = json.loads(answer.variables)
            return found

        self._results.append(asyncio.create_task(wait()))
        return self._results[-1]

    async def jobs(
        self, job_type: str, most: int = 32, *, lease: int = MINUTE, wait: int = -1, fetch: tuple[str, ...] = ()
    ) -> list[pb.ActivatedJob]:
        """Poll once; `wait` is the request's timeout in milliseconds, `lease` the jobs'."""
        request = pb.ActivateJobsRequest(
            type=job_type,
            worker="conformance",
            timeout=lease,
            maxJobsToActivate=most,
            requestTimeout=wait,
            fetchVariable=fetch,
        )
        return [job async for batch in self.stub.ActivateJobs(request, timeout=TIMEOUT) for job in batch.jobs]

    async def job(self, job_type: str, *, lease: int = MINUTE, fetch: tuple[str, ...] = ()) -> pb.ActivatedJob:
        """Wait for one job."""
        (job,) = await self.some_jobs(job_type, 1, lease=lease, fetch=fetch)
        return job

    async def some_jobs(
        self, job_type: str, count: int, *, lease: int = MINUTE, fetch: tuple[str, ...] = ()
    ) -> list[pb.ActivatedJob]:
        """Wait for some jobs, however many polls bring them."""
        found: list[pb.ActivatedJob] = []
        end = time.monotonic() + TIMEOUT
        while len(found) < count and time.monotonic() < end:
            found += await self.jobs(job_type, count - len(found), lease=lease, wait=LONG_POLL, fetch=fetch)
        assert len(found) == count, f"{len(found)} jobs of type {job_type} came, not {count}"
        return found

    async def complete(self, job: pb.ActivatedJob | int, **variables: object) -> None:
        request = pb.CompleteJobRequest(jobKey=_key(job), variables=json.dumps(variables))
        await self.stub.CompleteJob(request, timeout=TIMEOUT)

    async def complete_next(self, job_type: str, **variables: object) -> pb.ActivatedJob:
        """Wait for a job and complete it."""
        job = await self.job(job_type)
        await self.complete(job, **variables)
        return job

    async def fail(
        self, job: pb.ActivatedJob | int, retries: int = 0, message: str = "", back_off: int = 0, **variables: object
    ) -> None:
        request = pb.FailJobRequest(
            jobKey=_key(job),
            retries=retries,
            errorMessage=message,
            retryBackOff=back_off,
            variables=json.dumps(variables),
        )
        await self.stub.FailJob(request, timeout=TIMEOUT)

    async def throw(self, job: pb.ActivatedJob | int, code: str, message: str = "", **variables: object) -> None:
        request = pb.ThrowErrorRequest(
            jobKey=_key(job), errorCode=code, errorMessage=message, variables=json.dumps(variables)
        )
        await self.stub.ThrowError(request, timeout=TIMEOUT)

    async def retries(self, job: pb.ActivatedJob | int, retries: int) -> None:
        await self.stub.UpdateJobRetries(pb.UpdateJobRetriesRequest(jobKey=_key(job), retries=retries), timeout=TIMEOUT)

    async def resolve(self, incident: Variables | int) -> None:
        key = incident if isinstance(incident, int) else int(incident["incidentKey"])
        await self.stub.ResolveIncident(pb.ResolveIncidentRequest(incidentKey=key), timeout=TIMEOUT)

    async def cancel(self, instance: int) -> None:
        request = pb.CancelProcessInstanceRequest(processInstanceKey=instance)
        await self.stub.CancelProcessInstance(request, timeout=TIMEOUT)

    async def set(self, scope: int | str, *, local: bool = False, **variables: object) -> None:
        request = pb.SetVariablesRequest(elementInstanceKey=int(scope), variables=json.dumps(variables), local=local)
        await self.stub.SetVariables(request, timeout=TIMEOUT)

    async def publish(self, name: str, key: str = "", *, ttl: int = MINUTE, id_: str = "", **variables: object) -> int:
        request = pb.PublishMessageRequest(
            name=name, correlationKey=key, timeToLive=ttl, messageId=id_, variables=json.dumps(variables)
        )
        return (await self.stub.PublishMessage(request, timeout=TIMEOUT)).key

    async def modify(
        self,
        instance: int,
        *activate: str,
        terminate: tuple[int | str, ...] = (),
        variables: dict[str, Variables] | None = None,
    ) -> None:
        """Activate elements and terminate element instances; `variables` by the scope's id."""
        request = pb.ModifyProcessInstanceRequest(processInstanceKey=instance)
        for element in activate:
            instruction = request.activateInstructions.add(elementId=element)
            for scope, given in (variables or {}).items():
                instruction.variableInstructions.add(scopeId=scope, variables=json.dumps(given))
        for key in terminate:
            request.terminateInstructions.add(elementInstanceKey=int(key))
        await self.stub.ModifyProcessInstance(request, timeout=TIMEOUT)

    async def search(self, things: str, **filters: object) -> list[Variables]:
        """Return what v2 finds now."""
        response = await self.rest.post(f"/v2/{things}/search", json={"filter": _texts(filters)})
        assert response.status_code == httpx.codes.OK, response.text
        items: list[Variables] = response.json()["items"]
        return items

    async def found(self, things: str, count: int = 1, **filters: object) -> list[Variables]:
        """Wait until v2 finds as many as there should be."""

        def describe(items: list[Variables]) -> str:
            return f"{len(items)} {things} with {filters}, not {count}"

        return await self.until(lambda: self.search(things, **filters), lambda items: len(items) == count, describe)

    async def until(
        self, look: Callable[[], Awaitable[T]], is_right: Callable[[T], bool], describe: Callable[[T], str] = repr
    ) -> T:
        """Look until what is seen is right.

        Raises:
            AssertionError: It never was; the last look is in the text.
        """
        end = time.monotonic() + TIMEOUT
        while not is_right(seen := await look()):
            assert time.monotonic() < end, f"seen last: {describe(seen)}"
            await asyncio.sleep(PAUSE)
        return seen

    async def incident(self, instance: int, **filters: str) -> Variables:
        """Wait for the one incident of an instance that is open."""
        (incident,) = await self.found("incidents", 1, processInstanceKey=instance, state="ACTIVE", **filters)
        return incident

    async def ended(self, instance: int, state: str = "COMPLETED") -> None:
        """Wait for the end of an instance."""
        await self.found("process-instances", processInstanceKey=instance, state=state)

    async def elements(self, instance: int, element: str, state: str = "COMPLETED", count: int = 1) -> list[Variables]:
        """Wait for instances of an element in a state."""
        return await self.found("element-instances", count, processInstanceKey=instance, elementId=element, state=state)

    async def element(self, instance: int, element: str, state: str = "ACTIVE") -> str:
        """Wait for the one instance of an element; return its key."""
        key: str = (await self.elements(instance, element, state))[0]["elementInstanceKey"]
        return key

    async def request(self, method: str, path: str, body: object = None, status: int = 200) -> Any:  # noqa: ANN401 - JSON
        """Send a request to v2 and expect a status."""
        response = await self.rest.request(method, f"/v2/{path}", json=body)
        assert response.status_code == status, f"{response.status_code}: {response.text}"
        return response.json() if response.content else None

    async def version(self) -> str:
        """Return the gateway's version."""
        return (await self.stub.Topology(pb.TopologyRequest(), timeout=TIMEOUT)).gatewayVersion

    async def settle(self) -> None:
        """Forget the results that the test does not wait for any more."""
        for task in self._results:
            task.cancel()
        await asyncio.gather(*self._results, return_exceptions=True)


async def refused(call: Awaitable[object], code: grpc.StatusCode, *said: str) -> str:
    """Expect a status, and words in its text; return the text."""
    status, text = await _outcome(call)
    assert status is code, f"{status.name} instead of {code.name}: {text}"
    assert all(word in text for word in said), text
    return text


async def _outcome(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


def variables_of(job: pb.ActivatedJob) -> Variables:
    """Return a job's variables."""
    found: Variables = json.loads(job.variables)
    return found


def _key(job: pb.ActivatedJob | int) -> int:
    return job if isinstance(job, int) else job.key


def _texts(filters: dict[str, object]) -> dict[str, object]:
    """Write keys as v2 does, as texts."""
    is_key = {name for name, value in filters.items() if name.endswith("Key") and isinstance(value, int)}
    return {name: str(value) if name in is_key else value for name, value in filters.items()}
