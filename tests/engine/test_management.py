"""The management port: readiness, and counters under Zeebe's names."""

import httpx
from pyzeebe.proto import gateway_pb2 as pb

from saga.engine.core import Record
from saga.engine.metrics import Metrics
from tests.engine import jobs
from tests.engine.process import EngineProcess, activate, create, deploy, running, task
from tests.engine.test_streams import read, stream


async def test_an_engine_is_ready_and_live(saga_engine: EngineProcess) -> None:
    async with httpx.AsyncClient(base_url=f"http://{saga_engine.management}") as http:
        for path in ("/ready", "/live"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()) == (200, {"status": "UP"})


async def test_what_happened_to_jobs_is_counted_by_type() -> None:
    async with running() as engine, engine.stub() as stub, httpx.AsyncClient() as http:
        await deploy(stub, task("work"))
        await create(stub, "work")
        [job] = await activate(stub, "work", lease=1)
        [job] = await activate(stub, "work", wait=10_000)
        await stub.FailJob(pb.FailJobRequest(jobKey=job.key, retries=1))
        call = await stream(stub, "work")
        await create(stub, "work")
        pushed = await read(call)
        call.cancel()
        await stub.CompleteJob(pb.CompleteJobRequest(jobKey=pushed.key))
        await stub.ThrowError(pb.ThrowErrorRequest(jobKey=job.key, errorCode="NOBODY"))
        management = f"http://{engine.management}"
        events = ("created", "activated", "pushed", "completed", "failed", "timed out", "error thrown")
        counts = {event: await jobs(http, management, event, "work") for event in events}
        assert counts == {
            "created": 2,
            "activated": 2,
            "pushed": 1,
            "completed": 1,
            "failed": 1,
            "timed out": 1,
            "error thrown": 1,
        }
        every = (await http.get(f"{management}/actuator/prometheus")).text
        assert 'zeebe_incident_events_total{action="created",partition="1",type="UNHANDLED_ERROR_EVENT"} 1.0' in every
        one = await http.get(f"{management}/actuator/prometheus?includedNames=zeebe_job_events_total")
        assert "zeebe_incident" not in one.text


def test_labels_are_escaped() -> None:
    metrics = Metrics()
    value = {"type": 'a"b\\c\nd'}
    metrics.listener([Record(1, -1, 5, 0, "EVENT", "JOB", "CREATED", value)])
    assert 'type="a\\"b\\\\c\\nd"} 1.0' in metrics.text(["zeebe_job_events_total"])
