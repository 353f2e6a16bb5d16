"""The job loop against a scripted gateway: what the broker is told, whatever happens on the way."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb
from structlog.testing import capture_logs

from tests.kit.gateway import ScriptedGateway, serving
from tests.world import eventually
from workers.kit import Receipt, Step, Variables
from workers.kit.discovery import handlers
from workers.kit.settings import WorkerSettings
from workers.kit.worker import Worker


class Task(Variables):
    name: str

    @property
    def saga_id(self) -> str:
        return self.name


class Done(Receipt):
    name: str


class Bench:
    """A step of which a test says when each run of it ends."""

    def __init__(self) -> None:
        self.running = 0
        self.most_running = 0
        self.runs = 0
        self.go = asyncio.Event()
        self.step = Step("work", undo=None)

        @self.step.do
        async def work(task: Task) -> Done:
            self.runs += 1
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            try:
                await self.go.wait()
            finally:
                self.running -= 1
            if task.name == "bug":
                message = "4242424242424242"
                raise RuntimeError(message)
            return Done(name=task.name)


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway()  # type: ignore[abstract] # it answers what a worker asks, and no more


@pytest.fixture
def bench() -> Bench:
    return Bench()


@asynccontextmanager
async def working(gateway: ScriptedGateway, bench: Bench, **settings: object) -> AsyncIterator[Worker]:
    async with serving(gateway) as address, grpc.aio.insecure_channel(address) as channel:
        chosen = WorkerSettings.model_validate({"lease": 30.0, "drain": 5.0, **settings})
        worker = Worker(channel, handlers([bench.step]), {}, chosen, Random(1))  # noqa: S311 - jitter
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            worker.stop()
            await running


async def until(condition: Callable[[], bool]) -> None:
    async def look() -> bool:
        return condition()

    await eventually(look, bool, seconds=20)


async def test_jobs_of_the_stream_and_of_the_poll_are_completed(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    gateway.leave(*(gateway.job() for _ in range(100)))
    gateway.push(*(gateway.job() for _ in range(100)))
    async with working(gateway, bench):
        await until(lambda: len(gateway.told) == 200)
    assert {request.jobKey for request in gateway.told} == set(range(1, 201))
    assert all(json.loads(request.variables) == {"done": {"name": "n"}} for request in gateway.told)


async def test_no_more_jobs_run_at_once_than_the_window_has_slots(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.push(*(gateway.job() for _ in range(50)))
    gateway.leave(*(gateway.job() for _ in range(50)))
    async with working(gateway, bench, window=16, window_per_type=8):
        await until(lambda: bench.running >= 7)
        bench.go.set()
        await until(lambda: len(gateway.told) == 100)
    assert bench.most_running <= 8


async def test_a_job_in_hand_is_refused_a_second_run(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.push(gateway.job(key=7), gateway.job(key=7), gateway.job(key=8))
    async with working(gateway, bench):
        await until(lambda: bench.runs == 2)
        bench.go.set()
        await until(lambda: len(gateway.told) == 2)
    assert [request.jobKey for request in gateway.told] == [7, 8]


@pytest.mark.parametrize(
    "status",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNKNOWN,
    ],
)
async def test_an_answer_is_given_again_until_the_broker_has_it(
    gateway: ScriptedGateway, bench: Bench, status: grpc.StatusCode
) -> None:
    bench.go.set()
    gateway.verdict = lambda _request: status if len(gateway.told) < 8 else None
    gateway.push(gateway.job())
    async with working(gateway, bench):
        await until(lambda: len(gateway.told) == 8)
    assert bench.runs == 1, "the step is not run again for the answer's sake"


@pytest.mark.parametrize(
    ("first", "second", "doubt"),
    [
        (grpc.StatusCode.NOT_FOUND, None, "job-gone"),
        (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND, "reply-lost"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.NOT_FOUND, "job-gone"),
        (grpc.StatusCode.FAILED_PRECONDITION, None, "not-allowed"),
    ],
)
async def test_an_answer_that_nobody_may_have_taken_is_told_as_in_doubt(
    gateway: ScriptedGateway,
    bench: Bench,
    first: grpc.StatusCode,
    second: grpc.StatusCode | None,
    doubt: str,
) -> None:
    bench.go.set()
    gateway.verdict = lambda _request: first if len(gateway.told) == 1 else second
    gateway.push(gateway.job())
    with capture_logs() as logs:
        async with working(gateway, bench):
            await until(lambda: any(line["event"] == "answer in doubt" for line in logs))
    assert [line["doubt"] for line in logs if line["event"] == "answer in doubt"] == [doubt]


async def test_an_answer_is_in_doubt_once_the_lease_is_over(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    gateway.verdict = lambda _request: grpc.StatusCode.UNAVAILABLE
    gateway.push(gateway.job())
    with capture_logs() as logs:
        async with working(gateway, bench, lease=0.5):
            await until(lambda: any(line.get("doubt") == "lease-over" for line in logs))
    assert not any(line["event"] == "job answered" for line in logs)


async def test_a_polls_backpressure_costs_milliseconds(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    gateway.poll_verdict = lambda _request: grpc.StatusCode.RESOURCE_EXHAUSTED if gateway.polls <= 3 else None
    gateway.leave(gateway.job())
    loop = asyncio.get_running_loop()
    begin = loop.time()
    async with working(gateway, bench):
        await until(lambda: len(gateway.told) == 1)
        taken = loop.time() - begin
    assert taken < 2.0


async def test_a_worker_is_ready_once_the_broker_answers_and_not_while_it_stops(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    gateway.poll_verdict = lambda _request: grpc.StatusCode.UNAVAILABLE
    async with working(gateway, bench) as worker:
        await until(lambda: gateway.polls > 2)
        assert not worker.ready
        gateway.poll_verdict = lambda _request: None
        await until(lambda: worker.ready)
        worker.stop()
        assert not worker.ready


async def test_a_stopping_worker_ends_its_jobs_and_takes_no_more(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.push(gateway.job())
    async with serving(gateway) as address, grpc.aio.insecure_channel(address) as channel:
        worker = Worker(channel, handlers([bench.step]), {}, WorkerSettings(), Random(1))  # noqa: S311 - jitter
        running = asyncio.create_task(worker.run())
        await until(lambda: bench.running == 1)
        worker.stop()
        await until(lambda: gateway.streams == 0)
        gateway.push(gateway.job())
        gateway.leave(gateway.job())
        bench.go.set()
        await asyncio.wait_for(running, 10)
    assert [type(request) for request in gateway.told] == [pb.CompleteJobRequest]
    assert bench.runs == 1


async def test_what_does_not_end_in_time_is_handed_back_with_its_retries_and_no_backoff(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    gateway.push(gateway.job(retries=3))
    async with working(gateway, bench, drain=0.2) as worker:
        await until(lambda: bench.running == 1)
        worker.stop()
        await until(lambda: len(gateway.told) == 1)
    (told,) = gateway.told
    assert isinstance(told, pb.FailJobRequest)
    assert (told.retries, told.retryBackOff) == (3, 0)


async def test_what_arrived_and_found_no_slot_is_handed_back_too(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.push(*(gateway.job(retries=3) for _ in range(6)))
    async with working(gateway, bench, window=2, window_per_type=2, drain=0.2) as worker:
        await until(lambda: bench.running > 0)
        await until(gateway.all_pushed)
        worker.stop()
        await until(lambda: len(gateway.told) == 6)
    assert {request.jobKey for request in gateway.told} == set(range(1, 7))
    assert all((request.retries, request.retryBackOff) == (3, 0) for request in gateway.told)


async def test_a_stop_is_bounded_while_the_broker_is_away(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.push(gateway.job())
    gateway.verdict = lambda _request: grpc.StatusCode.UNAVAILABLE
    loop = asyncio.get_running_loop()
    async with working(gateway, bench, drain=0.2) as worker:
        await until(lambda: bench.running == 1)
        begin = loop.time()
        worker.stop()
    assert loop.time() - begin < 5.0, "its lease would go on for half a minute"


async def test_a_broker_without_streams_is_served_by_polls(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    gateway.stream_status = grpc.StatusCode.UNIMPLEMENTED
    gateway.leave(*(gateway.job() for _ in range(5)))
    async with working(gateway, bench) as worker:
        await until(lambda: len(gateway.told) == 5)
        await until(lambda: worker.ready)


async def test_what_the_broker_will_never_take_becomes_an_incident(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    gateway.verdict = lambda request: (
        grpc.StatusCode.INVALID_ARGUMENT if isinstance(request, pb.CompleteJobRequest) else None
    )
    gateway.push(gateway.job())
    async with working(gateway, bench):
        await until(lambda: len(gateway.told) == 2)
    assert isinstance(gateway.told[1], pb.FailJobRequest)
    assert gateway.told[1].retries == 0


async def test_a_bug_is_an_incident_and_its_text_reaches_neither_broker_nor_log(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    bench.go.set()
    gateway.push(gateway.job(name="bug"))
    with capture_logs() as logs:
        async with working(gateway, bench):
            await until(lambda: len(gateway.told) == 1)
    (told,) = gateway.told
    assert isinstance(told, pb.FailJobRequest)
    assert told.retries == 0
    assert "RuntimeError" in told.errorMessage
    assert "4242424242424242" not in told.errorMessage + str(logs)


async def test_a_step_that_hangs_is_ended_within_its_lease_and_tried_again(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    gateway.push(gateway.job(retries=3))
    async with working(gateway, bench, lease=0.5):
        await until(lambda: len(gateway.told) == 1)
    (told,) = gateway.told
    assert isinstance(told, pb.FailJobRequest)
    assert told.retries == 2
    assert "whether it took effect is unknown" in told.errorMessage


def test_a_window_too_small_for_the_idle_polls_is_refused(bench: Bench) -> None:
    with pytest.raises(ValueError, match="WORKER_WINDOW is 1"):
        Worker(None, handlers([bench.step]), {}, WorkerSettings(window=1), Random(1))  # type: ignore[arg-type] # noqa: S311
