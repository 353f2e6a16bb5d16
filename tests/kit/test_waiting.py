"""A job that failed waits for its next try with the worker, and the broker hears of it when the wait is over."""

import time
from collections.abc import Callable

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from tests.kit.bench import Done, Seen, Task, until, working
from tests.kit.gateway import ScriptedGateway
from workers.kit import Retry, Step, Unavailable, waiting
from workers.kit.doubt import Doubt
from workers.kit.outcomes import Fail


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
        assert not worker.in_hand


async def test_where_too_many_wait_the_next_stays_in_hand_so_that_no_more_are_taken(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_ROOM", 5)
    gateway.push(*(gateway.job(retries=9) for _ in range(20)))
    async with working(gateway, Failing(60.0).step, window_per_type=2) as worker:
        await until(lambda: worker.waiting == {"work": 5} and worker.in_hand == {"work": 2})


async def test_a_worker_that_stops_leaves_the_rest_of_the_wait_to_the_broker(gateway: ScriptedGateway) -> None:
    gateway.push(gateway.job(retries=9), gateway.job(retries=9))
    async with working(gateway, Failing(60.0).step) as worker:
        await until(lambda: worker.waiting == {"work": 2})
        begun = time.monotonic()
        await until(lambda: time.monotonic() > begun + 0.2)
    left = failures(gateway)
    assert [retries for retries, _ in left] == [8, 8]
    assert all(59_000 < backoff <= 59_900 for _, backoff in left), left


async def test_where_the_lease_cannot_be_extended_the_broker_sees_to_the_wait(gateway: ScriptedGateway) -> None:
    gateway.extension_verdict = lambda _request: grpc.StatusCode.RESOURCE_EXHAUSTED
    gateway.push(gateway.job(retries=9))
    async with working(gateway, Failing(60.0).step) as worker:
        await until(lambda: len(gateway.told) == 1)
        assert not worker.waiting
    assert failures(gateway) == [(8, 60_000)]


async def test_a_job_that_is_given_out_again_meanwhile_waits_no_more(gateway: ScriptedGateway) -> None:
    failing = Failing(60.0, times=1)
    gateway.push(gateway.job(key=7, retries=9))
    async with working(gateway, failing.step) as worker:
        await until(lambda: bool(worker.waiting))
        gateway.push(gateway.job(key=7, retries=9))
        await until(lambda: len(gateway.told) == 1)
        assert not worker.waiting
    (told,) = gateway.told
    assert isinstance(told, pb.CompleteJobRequest), "nobody takes a retry from the second run"


async def test_an_instance_that_is_gone_when_the_wait_is_over_is_told_as_doubt(gateway: ScriptedGateway) -> None:
    seen = Seen()
    gateway.verdict = lambda _request: grpc.StatusCode.NOT_FOUND
    gateway.push(gateway.job(retries=9))
    async with working(gateway, Failing(0.2).step, seen) as worker:
        await until(lambda: len(seen.jobs) == 2)
        assert not worker.waiting
    waits, ended = seen.jobs
    assert (waits.answer, waits.doubt) == (Fail(8, 0.2, "away"), None)
    assert (ended.answer, ended.doubt) == (Fail(8, 0.2, "away"), Doubt.ELEMENT_GONE)
