"""What a step does wrong ends its own job, and nothing else."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.common.problems import FieldError
from saga.kit import Broken, Declined, Retry, Step, Unavailable, Variables
from saga.kit.definition.outcomes import Fail, StepError
from saga.kit.execution.admission import Admission
from saga.kit.execution.middleware import JobOutcome
from tests.kit.bench import Bench, Seen, until, working
from tests.kit.gateway import ScriptedGateway
from tests.kit.task import Done, Task


class PanicError(BaseException):
    """As a library raises it that is written in another language, and means that nobody should go on."""


async def test_a_step_that_raises_a_cancellation_of_its_own_has_a_bug(gateway: ScriptedGateway) -> None:
    step = Step("work", undo=None)

    @step.do
    async def work(task: Task) -> Done:
        sleeping = asyncio.create_task(asyncio.sleep(60))
        sleeping.cancel()
        await sleeping
        return Done(name=task.name)

    gateway.push(gateway.job())
    async with working(gateway, step):
        await until(lambda: len(gateway.told) == 1)
    (told,) = gateway.told
    assert isinstance(told, pb.FailJobRequest)
    assert told.retries == 0
    assert "CancelledError" in told.errorMessage


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), PanicError("4242424242424242")])
@pytest.mark.parametrize("blocks", [False, True], ids=["awaited", "on a thread"])
async def test_a_step_that_means_to_end_the_process_ends_its_job_alone(
    gateway: ScriptedGateway, bench: Bench, error: BaseException, *, blocks: bool
) -> None:
    step = Step("ends", undo=None)

    async def end(task: Task) -> Done:
        del task
        raise error

    def end_on_a_thread(task: Task) -> Done:
        del task
        raise error

    step.do(end_on_a_thread if blocks else end)
    bench.go.set()
    gateway.push(gateway.job(task_type="ends"))
    async with working(gateway, bench.step, beside=[step]):
        await until(lambda: len(gateway.told) == 1)
        gateway.push(gateway.job())
        await until(lambda: len(gateway.told) == 2)
    incident, done = gateway.told
    assert incident.retries == 0
    assert type(error).__name__ in incident.errorMessage
    assert "4242" not in incident.errorMessage
    assert isinstance(done, pb.CompleteJobRequest)


class Exits(Variables):
    name: str

    @property
    def saga_id(self) -> str:
        raise SystemExit(3)


class WithoutText(StepError):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("blocks", [False, True], ids=["awaited", "on a thread"])
@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (lambda: Declined("C", None), "TypeError"),  # type: ignore[arg-type]
        (lambda: Declined("C", "m", ({"field": "f"},)), "TypeError"),  # type: ignore[arg-type]
        (lambda: FieldError("f", 3), "TypeError"),  # type: ignore[arg-type]
        (GeneratorExit, "GeneratorExit"),
        (StopAsyncIteration, "StopAsyncIteration"),
        (lambda: Broken(WithoutText()), "RuntimeError"),
    ],
)
async def test_whatever_a_step_raises_its_job_gets_an_incident_that_names_bug_and_step(
    gateway: ScriptedGateway, bench: Bench, fault: Callable[[], BaseException], named: str, *, blocks: bool
) -> None:
    step = Step("odd", undo=None, refuses={"C"})

    async def odd(task: Task) -> Done:
        del task
        raise fault()

    def odd_on_a_thread(task: Task) -> Done:
        del task
        raise fault()

    step.do(odd_on_a_thread if blocks else odd)
    bench.go.set()
    gateway.push(gateway.job(task_type="odd"))
    async with working(gateway, bench.step, beside=[step]):
        await until(lambda: len(gateway.told) == 1)
        gateway.push(gateway.job())
        await until(lambda: len(gateway.told) == 2)
    incident = gateway.told[0]
    assert isinstance(incident, pb.FailJobRequest)
    assert incident.retries == 0
    assert "bug" in incident.errorMessage
    assert "odd" in incident.errorMessage
    assert named in incident.errorMessage or blocks


async def test_a_saga_id_that_ends_the_process_ends_its_job_alone(gateway: ScriptedGateway) -> None:
    step = Step("work", undo=None)

    @step.do
    async def work(task: Exits) -> Done:
        return Done(name=task.saga_id)

    gateway.push(gateway.job())
    async with working(gateway, step):
        await until(lambda: len(gateway.told) == 1)
    assert gateway.told[0].retries == 0
    assert "SystemExit" in gateway.told[0].errorMessage


@pytest.mark.parametrize("headers", ['{"retryCount": 3', "[]", "", '{"retryCount": 3}, {"retry'])
async def test_a_broken_headers_document_is_an_incident_that_says_so(gateway: ScriptedGateway, headers: str) -> None:
    step = Step("work", undo=None)

    @step.do
    async def work(task: Task) -> Done:
        raise TimeoutError(task.name)

    gateway.push(gateway.job(headers=f" {headers}retry"))
    async with working(gateway, step):
        await until(lambda: len(gateway.told) == 1)
    assert gateway.told[0].retries == 0
    assert "headers" in gateway.told[0].errorMessage
    assert "the document" in gateway.told[0].errorMessage


async def test_a_middleware_that_wants_to_end_the_process_when_a_job_ends_does_not(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    class Quits(Seen):
        def ended(self, ended: JobOutcome) -> None:
            super().ended(ended)
            raise SystemExit

    seen = Quits()
    bench.go.set()
    gateway.push(gateway.job(), gateway.job())
    async with working(gateway, bench.step, seen):
        await until(lambda: len(seen.jobs) == 2)


async def test_a_bug_of_the_worker_itself_is_an_incident_too(
    gateway: ScriptedGateway, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bool:
        raise LookupError

    monkeypatch.setattr(Admission, "run", broken)
    gateway.push(gateway.job())
    async with working(gateway, bench.step):
        await until(lambda: len(gateway.told) == 1)
    assert gateway.told[0].retries == 0
    assert gateway.told[0].errorMessage.startswith("bug: LookupError in work.")


def test_a_wish_that_is_no_number_is_refused_where_it_is_made() -> None:
    with pytest.raises(TypeError):
        Unavailable("later", retry_after=timedelta(minutes=1))  # type: ignore[arg-type]


@pytest.mark.parametrize(("wish", "backoff"), [(float("inf"), 86_400.0), (1e300, 86_400.0), (float("nan"), 0.5)])
async def test_what_cannot_be_sent_is_answered_all_the_same(
    gateway: ScriptedGateway, wish: float, backoff: float
) -> None:
    step, seen = Step("work", undo=None, retry=Retry(retries=3, jitter=0.0)), Seen()

    @step.do
    async def work(task: Task) -> Done:
        del task
        message = "half a pair: \ud83d"
        raise Unavailable(message, retry_after=wish)

    gateway.push(gateway.job(retries=3))
    async with working(gateway, step, seen) as worker:
        await until(lambda: len(seen.jobs) == 1)
        assert worker.waiting == {"work": 1}
    assert seen.jobs[0].reply == Fail(2, backoff, "half a pair: ?")
    assert gateway.told[0].errorMessage == "half a pair: ?"
