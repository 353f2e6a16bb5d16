"""A job that failed waits for its next try with the worker, and the broker hears of it when the wait is over."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import grpc
from pyzeebe.proto import gateway_pb2 as pb

from saga.kit import Retry, Step, Unavailable
from saga.kit.definition.outcomes import Fail
from saga.kit.execution.doubt import Doubt
from tests.kit.bench import AT_ONCE, Bench, Seen, until, working
from tests.kit.gateway import ScriptedGateway
from tests.kit.task import Done, Task


class Failing:
    """A step that fails, `times` times, and then succeeds."""

    def __init__(self, backoff: float, times: float = float("inf")) -> None:
        self.runs: list[float] = []
        self.step = Step("work", undo=None, retry=Retry(retries=9, base=backoff, cap=backoff, jitter=0.0))

        @self.step.do
        async def work(task: Task) -> Done:
            self.runs.append(time.monotonic())
            if len(self.runs) <= times:
                message = "away"
                raise Unavailable(message)
            return Done(name=task.name)


def failures(gateway: ScriptedGateway) -> list[tuple[int, int]]:
    """Return what the broker heard of jobs that failed: the retries left, the backoff that it is to see to."""
    told = [request for request in gateway.told if isinstance(request, pb.FailJobRequest)]
    return [(request.retries, request.retryBackOff) for request in told]


def gives_out_again(gateway: ScriptedGateway, key: int) -> Callable[[object], None]:
    """Do as the broker does: give a job out again at once when it hears of its failure."""

    def verdict(request: object) -> None:
        if isinstance(request, pb.FailJobRequest):
            gateway.push(gateway.job(key=key, retries=request.retries))

    return verdict


async def test_the_broker_hears_of_a_failure_when_the_wait_is_over_and_is_asked_for_no_backoff(
    gateway: ScriptedGateway,
) -> None:
    failing = Failing(0.3, times=3)
    gateway.verdict = gives_out_again(gateway, 7)
    gateway.push(gateway.job(key=7, retries=9))
    async with working(gateway, failing.step):
        await until(lambda: len(gateway.told) == 4)
    assert failures(gateway) == [(8, 0), (7, 0), (6, 0)]
    assert isinstance(gateway.told[-1], pb.CompleteJobRequest)
    waits = [later - earlier for earlier, later in zip(failing.runs, failing.runs[1:], strict=False)]
    assert all(wait >= 0.3 for wait in waits), waits
    assert gateway.extensions == [], "the lease of 30 seconds covers it"


async def test_its_lease_covers_the_wait(gateway: ScriptedGateway) -> None:
    gateway.push(gateway.job(retries=9, lease=10.0))
    async with working(gateway, Failing(60.0).step, lease=10.0) as worker:
        await until(lambda: bool(worker.waiting))
        assert gateway.leases == [70.0]
        assert gateway.told == []


async def test_a_job_that_waits_takes_no_slot(gateway: ScriptedGateway) -> None:
    failing = Failing(60.0)
    gateway.push(*(gateway.job(retries=9) for _ in range(20)))
    async with working(gateway, failing.step, window_per_type=2) as worker:
        await until(lambda: worker.waiting == {"work": 20})
        assert not worker.active


async def test_if_too_many_wait_the_next_stays_active_so_that_no_more_are_taken(
    gateway: ScriptedGateway,
) -> None:
    timing = replace(AT_ONCE, backlog_places=5)
    gateway.push(*(gateway.job(retries=9) for _ in range(20)))
    async with working(gateway, Failing(60.0).step, timing=timing, window_per_type=2) as worker:
        await until(lambda: worker.waiting == {"work": 5} and worker.active == {"work": 2})


async def test_a_task_type_whose_jobs_wait_for_long_takes_no_room_from_the_others(gateway: ScriptedGateway) -> None:
    timing = replace(AT_ONCE, backlog_places=1)
    other = Step("other", undo=None, retry=Retry(retries=9, base=60.0, cap=60.0))

    @other.do
    async def work(task: Task) -> Done:
        raise Unavailable(task.name)

    gateway.push(*(gateway.job(retries=9, task_type=each) for each in ("work", "work", "other")))
    async with working(gateway, Failing(60.0).step, beside=[other], timing=timing) as worker:
        await until(lambda: worker.waiting == {"work": 1, "other": 1})


async def test_a_worker_that_stops_releases_at_once_what_waits(gateway: ScriptedGateway) -> None:
    gateway.push(gateway.job(retries=9), gateway.job(retries=9))
    async with working(gateway, Failing(60.0).step) as worker:
        await until(lambda: worker.waiting == {"work": 2})
    assert failures(gateway) == [(9, 0), (9, 0)]


async def test_a_job_that_fails_while_the_worker_stops_does_not_wait(gateway: ScriptedGateway) -> None:
    bench = Bench()
    gateway.push(gateway.job(retries=9, name="slow"))
    step = Step("work", undo=None, retry=Retry(retries=9, base=60.0, cap=60.0, jitter=0.0))

    @step.do
    async def work(task: Task) -> Done:
        await bench.go.wait()
        raise Unavailable(task.name)

    async with working(gateway, step) as worker:
        await until(lambda: bool(worker.active))
        worker.stop()
        await until(lambda: gateway.streams == 0)
        bench.go.set()
        await until(lambda: len(gateway.told) == 1)
    assert failures(gateway) == [(8, 0)]


async def test_where_the_broker_leaves_the_job_to_us_no_longer_it_sees_to_the_wait(gateway: ScriptedGateway) -> None:
    gateway.extension_verdict = lambda _request: grpc.StatusCode.NOT_FOUND
    gateway.push(gateway.job(retries=9))
    async with working(gateway, Failing(60.0).step) as worker:
        await until(lambda: len(gateway.told) == 1)
        assert not worker.waiting
    assert failures(gateway) == [(8, 60_000)]


async def test_a_broker_that_is_busy_is_asked_again_for_the_lease(gateway: ScriptedGateway) -> None:
    busy = iter([grpc.StatusCode.RESOURCE_EXHAUSTED] * 3)
    gateway.extension_verdict = lambda _request: next(busy, None)
    gateway.push(gateway.job(retries=9))
    async with working(gateway, Failing(60.0).step) as worker:
        await until(lambda: bool(worker.waiting))
        assert gateway.leases == [90.0] * 4
        assert gateway.told == []


async def test_a_job_that_waits_for_room_keeps_its_lease(gateway: ScriptedGateway) -> None:
    timing = replace(AT_ONCE, backlog_places=1)
    failing = Failing(60.0)
    gateway.push(gateway.job(key=1, retries=9, lease=0.7), gateway.job(key=2, retries=9, lease=0.7))
    async with working(gateway, failing.step, timing=timing, lease=0.7) as worker:
        await until(lambda: worker.waiting == {"work": 1} and worker.active == {"work": 1})
        await until(lambda: gateway.leases.count(0.7) >= 3)
        assert worker.active == {"work": 1}


async def test_the_wait_s_lease_is_not_cut_by_an_extension_that_is_under_way(gateway: ScriptedGateway) -> None:
    bench = Bench()
    asked = asyncio.Event()
    step = Step("work", undo=None, retry=Retry(retries=9, base=60.0, cap=60.0, jitter=0.0))

    @step.do
    async def work(task: Task) -> Done:
        await bench.go.wait()
        raise Unavailable(task.name)

    def slow(_request: object) -> None:
        asked.set()

    gateway.extension_verdict = slow
    gateway.extension_takes = 0.25
    gateway.push(gateway.job(retries=9, lease=1.0))
    async with working(gateway, step, lease=1.0) as worker:
        await asked.wait()
        bench.go.set()
        await until(lambda: bool(worker.waiting))
        assert gateway.leases == [1.0, 61.0], "the last one counts"


async def test_a_job_that_is_activated_again_meanwhile_waits_no_more(gateway: ScriptedGateway) -> None:
    failing = Failing(60.0, times=1)
    gateway.push(gateway.job(key=7, retries=9))
    async with working(gateway, failing.step) as worker:
        await until(lambda: bool(worker.waiting))
        gateway.push(gateway.job(key=7, retries=9))
        await until(lambda: len(gateway.told) == 1)
        assert not worker.waiting
    (told,) = gateway.told
    assert isinstance(told, pb.CompleteJobRequest), "nobody takes a retry from the second run"


async def test_a_copy_that_lay_in_a_buffer_until_its_lease_was_over_ends_no_wait(gateway: ScriptedGateway) -> None:
    failing = Failing(60.0, times=1)
    gateway.push(gateway.job(key=7, retries=9))
    async with working(gateway, failing.step, window=1) as worker:
        await until(lambda: bool(worker.waiting))
        extensions = len(gateway.extensions)
        gateway.push(gateway.job(key=7, retries=9, waited=31.0))
        await until(lambda: gateway.all_pushed() and gateway.streams == 0)
        assert worker.waiting == {"work": 1}
        assert len(gateway.extensions) == extensions
        gateway.leave(gateway.job(key=8))
        await until(lambda: len(gateway.told) == 1)  # for which it gave its slot back
    assert len(failing.runs) == 2


async def test_an_instance_that_is_gone_when_the_wait_is_over_is_reported_as_doubt(gateway: ScriptedGateway) -> None:
    seen = Seen()
    gateway.verdict = lambda _request: grpc.StatusCode.NOT_FOUND
    gateway.push(gateway.job(retries=9))
    async with working(gateway, Failing(0.2).step, seen) as worker:
        await until(lambda: len(seen.jobs) == 2)
        assert not worker.waiting
    waits, ended = seen.jobs
    assert (waits.reply, waits.doubt) == (Fail(8, 0.2, "away"), None)
    assert (ended.reply, ended.doubt) == (Fail(8, 0.2, "away"), Doubt.ELEMENT_GONE)
