"""What a step does wrong ends its own job, and nothing else."""

import asyncio
from datetime import timedelta

import pytest
from pyzeebe.proto import gateway_pb2 as pb

from tests.kit.bench import Bench, Done, Seen, Task, until, working
from tests.kit.gateway import ScriptedGateway
from workers.kit import Retry, Step, Unavailable
from workers.kit.outcomes import Fail


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
    assert seen.jobs[0].answer == Fail(2, backoff, "half a pair: ?")
    assert gateway.told[0].errorMessage == "half a pair: ?"
