"""What the embedded engine holds of a job that did not go well: one incident, with a text that helps and no secret."""

import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from saga.clients.addresses import Addresses
from saga.kit import Job, Receipt, Retry, Step, Unavailable
from saga.kit.definition.outcomes import Complete
from saga.kit.observability.log import Log
from saga.kit.settings import EngineSettings
from tests.kit.bench import Bench as KitBench
from tests.kit.bench import Seen, until
from tests.kit.gateway import ScriptedGateway, serving
from tests.runtime.bench import Bench, Done, Task, working
from tests.runtime.broker import Broker
from tests.runtime.quirks import ForgettingGateway, PushFirstGateway, through_one_of

CARD = "4242424242424242"


class Text(Task):
    text: str


class Found(Receipt):
    value: Any


class Numbers(Task):
    numbers: list[int]


class Length(Receipt):
    count: int


async def test_a_batch_of_jobs_larger_than_grpcs_default_is_done(bench: Bench, addresses: Addresses) -> None:
    step = Step(bench.task_type, undo=None)

    @step.do
    async def measure(task: Numbers) -> Length:
        return Length(count=len(task.numbers))

    # The broker bounds a batch by its own packed form, in which such a number is one byte; on the way here it is five,
    # and the gateway gives back what does not fit into its message.
    await bench.create(30, numbers=[100] * 60_000)
    async with working(addresses.engine, step, seen=bench.seen):
        await until(lambda: len(bench.seen.jobs) == 30)
    assert await bench.broker.jobs("completed", bench.task_type) == 30
    assert all(ended.reply == Complete('{"length":{"count":60000}}') for ended in bench.seen.jobs)


async def test_a_gateway_that_allows_larger_messages_is_understood() -> None:
    gateway = ScriptedGateway()  # type: ignore[abstract] # it answers what a worker asks, and no more
    gateway.leave(*(gateway.job(text="x" * 300_000) for _ in range(30)))
    bench = KitBench()
    bench.go.set()
    seen = Seen()
    async with serving(gateway) as address, working(EngineSettings(ZEEBE_ADDRESS=address), bench.step, seen=seen):
        await until(lambda: len(seen.jobs) == 30)
    assert {request.jobKey for request in gateway.told} == set(range(1, 31))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "left NaN or an infinite number, which JSON does not know, in its Found. Mend the step"),
        (object(), "left something that cannot be written as JSON in its Found. Mend the step"),
        ("x" * 1_200_000, "bytes; 1000000 are allowed. Keep less in it."),
    ],
    ids=["NaN", "an object", "too large"],
)
async def test_a_receipt_that_cannot_be_taken_is_one_incident_and_the_worker_goes_on(
    bench: Bench, addresses: Addresses, value: object, text: str
) -> None:
    step = Step(bench.task_type, undo=None)
    runs: list[int] = []

    @step.do
    async def find(task: Task, job: Job) -> Found:
        runs.append(job.key)
        return Found(value=value if task.name == "wrong" else "right")

    async with working(addresses.engine, step, seen=bench.seen):
        instance = await bench.broker.create(bench.name, {"name": "wrong"})
        incident = await bench.broker.incident(instance)
        assert (await bench.result())["found"] == {"value": "right"}
    assert text in incident["message"]
    assert len(runs) == 2
    assert await bench.broker.jobs("failed", bench.task_type) == 1


async def test_what_a_bug_says_and_what_a_job_knows_is_in_no_incident_and_in_no_line(
    bench: Bench, addresses: Addresses
) -> None:
    step = Step(bench.task_type, undo=None)

    @step.do
    async def fail(text: Text) -> Done:
        raise RuntimeError(text.text)

    with capture_logs() as logs:
        async with working(addresses.engine, step, seen=Log()):
            instance = await bench.broker.create(bench.name, {"name": "n", "text": CARD})
            unread = await bench.broker.create(bench.name, {"name": "n", "text": [CARD]})
            messages = [(await bench.broker.incident(key))["message"] for key in (instance, unread)]
    assert "failed with a bug of its own: RuntimeError." in messages[0]
    assert "cannot read its variables. text: Input should be a valid string." in messages[1]
    assert [line["event"] for line in logs].count("job answered") == 2
    assert CARD not in str(messages) + str(logs)


async def test_a_job_is_tried_again_after_its_backoff(broker: Broker, addresses: Addresses, name: str) -> None:
    bench = Bench(broker, name, backoff=1.0)
    await broker.deploy(name, [bench.task_type])
    async with working(addresses.engine, bench.step, seen=bench.seen):
        begun = time.monotonic()
        assert (await bench.result(unavailable=2))["done"]["run"] == 3
        took = time.monotonic() - begun
    assert took > 2 * 0.5, "half of a backoff is jitter"


@pytest.mark.parametrize("failures", [3, pytest.param(50, marks=pytest.mark.proof)])
async def test_no_job_that_fails_again_and_again_is_forgotten(
    broker: Broker, addresses: Addresses, name: str, failures: int
) -> None:
    bench = Bench(broker, name, backoff=0.2, retries=60)
    await broker.deploy(name, [bench.task_type], retries=60)
    async with (
        through_one_of(ForgettingGateway, addresses) as (_, through),
        working(through, bench.step, seen=bench.seen),
    ):
        results = await bench.results(40, unavailable=failures)
    assert [result["done"]["run"] for result in results] == [failures + 1] * 40, "the broker forgets some (ADR 7)"


async def test_an_undo_without_retries_is_an_incident_that_says_what_was_tried_and_what_counts_as_standing(
    bench: Bench, addresses: Addresses
) -> None:
    step = Step(f"{bench.task_type}-do", undo=bench.task_type, undo_retry=Retry(retries=2, base=0.1))
    runs: list[str] = []

    @step.do
    async def do(task: Task) -> Done:
        return Done(name=task.name, run=0)

    @step.undo
    async def undo(task: Task) -> Length:
        runs.append(task.name)
        if len(runs) <= 2:
            message = "bank answered 503."
            raise Unavailable(message)
        return Length(count=len(runs))

    async with working(addresses.engine, step, seen=bench.seen):
        instance = await bench.broker.create(bench.name, {"name": "4711"})
        incident = await bench.broker.incident(instance)
        assert runs == ["4711"] * 2
        await bench.broker.retry(incident, {"name": "4711"})
        await until(lambda: len(runs) == 3)
    assert incident["message"] == (
        f"Saga 4711: {bench.task_type} has no retries left; its policy is 2 tries with waits of about 0 seconds in "
        "all. The last time: bank answered 503. Once the cause is gone, retry the incident: the same command has one "
        f"effect. Until the undo succeeds, what {bench.task_type}-do did counts as standing."
    )
    assert await bench.broker.jobs("completed", bench.task_type) == 1


async def test_a_job_that_is_given_out_again_at_once_does_not_wait_for_its_lease(
    broker: Broker, addresses: Addresses, name: str
) -> None:
    bench = Bench(broker, name, backoff=0.0)
    await broker.deploy(name, [bench.task_type])
    async with (
        through_one_of(PushFirstGateway, addresses) as (_, through),
        working(through, bench.step, seen=Seen(), lease=60.0),
    ):
        begun = time.monotonic()
        results = await bench.results(40, unavailable=2)
        took = time.monotonic() - begun
    assert took < 30.0, "the broker pushes the job before its reply to the failure is heard"
    assert {result["done"]["run"] for result in results} == {3}
