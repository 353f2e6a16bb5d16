"""The worker on a scripted gateway: its active jobs, and what becomes of them when it stops."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb
from structlog.testing import capture_logs

from saga.kit import Job, Retry, Step, Unavailable
from saga.kit.definition.outcomes import JobReply
from saga.kit.execution.crash_guard import CrashGuard, Journal
from saga.kit.execution.doubt import Doubt
from saga.kit.execution.lease import Lease
from saga.kit.execution.replies import JobReplies
from saga.kit.execution.timing import WorkerTiming
from tests.kit.bench import QUICK, Bench, Seen, until, working
from tests.kit.gateway import ScriptedGateway
from tests.kit.task import Done, Task


async def test_jobs_of_the_stream_and_of_the_poll_are_completed(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    gateway.leave(*(gateway.job() for _ in range(100)))
    gateway.push(*(gateway.job() for _ in range(100)))
    async with working(gateway, bench.step):
        await until(lambda: len(gateway.told) == 200)
    assert {request.jobKey for request in gateway.told} == set(range(1, 201))
    assert all(json.loads(request.variables) == {"done": {"name": "n"}} for request in gateway.told)


async def test_no_more_jobs_run_at_once_than_the_window_has_slots(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.push(*(gateway.job() for _ in range(50)))
    gateway.leave(*(gateway.job() for _ in range(50)))
    async with working(gateway, bench.step, window=16, window_per_type=8):
        await until(lambda: bench.running >= 7)
        bench.go.set()
        await until(lambda: len(gateway.told) == 100)
    assert bench.most_running <= 8


async def test_an_active_job_is_refused_a_second_run(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.push(gateway.job(key=7), gateway.job(key=7), gateway.job(key=8))
    async with working(gateway, bench.step):
        await until(lambda: bench.runs == 2)
        bench.go.set()
        await until(lambda: len(gateway.told) == 2)
    assert [request.jobKey for request in gateway.told] == [7, 8]


async def test_a_stopping_worker_ends_its_jobs_and_takes_no_more(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.push(gateway.job())
    async with working(gateway, bench.step) as worker:
        await until(lambda: bench.running == 1)
        worker.stop()
        await until(lambda: gateway.streams == 0)
        gateway.push(gateway.job())
        gateway.leave(gateway.job())
        bench.go.set()
        await until(lambda: len(gateway.told) == 1)
    assert [type(request) for request in gateway.told] == [pb.CompleteJobRequest]
    assert bench.runs == 1


async def test_what_does_not_end_in_time_is_released_with_its_retries_and_no_backoff(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    gateway.push(gateway.job(retries=3))
    async with working(gateway, bench.step, drain=0.2) as worker:
        await until(lambda: bench.running == 1)
        worker.stop()
        await until(lambda: len(gateway.told) == 1)
    (told,) = gateway.told
    assert isinstance(told, pb.FailJobRequest)
    assert (told.retries, told.retryBackOff) == (3, 0)


async def test_what_arrived_and_found_no_slot_is_released_too(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.push(*(gateway.job(retries=3) for _ in range(6)))
    async with working(gateway, bench.step, timing=WorkerTiming(), window=2, window_per_type=2, drain=0.2) as worker:
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
    async with working(gateway, bench.step, drain=0.2) as worker:
        await until(lambda: bench.running == 1)
        begin = loop.time()
        worker.stop()
    assert loop.time() - begin < 5.0, "its lease would go on for half a minute"


@pytest.mark.parametrize("come", [ScriptedGateway.push, ScriptedGateway.leave], ids=["by stream", "by poll"])
async def test_a_job_that_arrives_while_the_worker_stops_is_released(
    gateway: ScriptedGateway, bench: Bench, come: Callable[[ScriptedGateway, pb.ActivatedJob], None]
) -> None:
    async with working(gateway, bench.step, schedule=QUICK, timing=WorkerTiming(), drain=0.2) as worker:
        await until(lambda: gateway.streams == 1 and gateway.polls >= 2)
        worker.stop()
        come(gateway, gateway.job(retries=3))
        await until(lambda: len(gateway.told) == 1)
    (told,) = gateway.told
    assert isinstance(told, pb.FailJobRequest)
    assert (told.retries, told.retryBackOff) == (3, 0)
    assert bench.runs == 0


async def test_a_second_stop_waits_for_nothing(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.push(gateway.job(retries=3))
    async with working(gateway, bench.step, drain=600.0) as worker:
        await until(lambda: bench.running == 1)
        worker.stop()
        await until(lambda: gateway.streams == 0)
        assert bench.running == 1
        begin = time.monotonic()
        worker.stop()
        await until(lambda: len(gateway.told) == 1)
    assert time.monotonic() - begin < 5.0
    assert isinstance(gateway.told[0], pb.FailJobRequest)
    assert gateway.told[0].retries == 3


async def test_an_active_job_that_is_pushed_once_more_and_finds_no_slot_is_not_released(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    gateway.push(gateway.job(key=7))
    async with working(gateway, bench.step, timing=WorkerTiming(), window=1, window_per_type=1) as worker:
        await until(lambda: bench.running == 1)
        gateway.push(gateway.job(key=7))
        await until(gateway.all_pushed)
        worker.stop()
        await until(lambda: gateway.streams == 0)
        bench.go.set()
        await until(lambda: not worker.active)
    assert [type(request) for request in gateway.told] == [pb.CompleteJobRequest]


async def test_what_is_activated_again_after_its_reply_and_finds_no_slot_is_released(
    gateway: ScriptedGateway,
) -> None:
    """The broker has taken the failure and activated the job again before its response is here."""
    step, replies = Step("work", undo=None, retry=Retry(retries=3, base=0.0)), asyncio.Event()

    @step.do
    async def work(task: Task) -> Done:
        raise Unavailable(task.name)

    gateway.replies = replies
    gateway.push(gateway.job(key=7, retries=3))
    async with working(gateway, step, timing=WorkerTiming(), window=1, window_per_type=1) as worker:
        await until(lambda: len(gateway.told) == 1)
        gateway.push(gateway.job(key=7, retries=2))
        await until(gateway.all_pushed)
        worker.stop()
        await until(lambda: len(gateway.told) == 2)
        replies.set()
    assert [(request.jobKey, request.retries) for request in gateway.told] == [(7, 2), (7, 2)]


async def test_a_stop_quarantines_no_jobs_whose_reply_the_broker_has_not_received(
    gateway: ScriptedGateway, bench: Bench, tmp_path: Path
) -> None:
    bench.go.set()
    journal = Journal.open(tmp_path)
    gateway.verdict = lambda _request: grpc.StatusCode.UNAVAILABLE
    gateway.push(gateway.job(key=7))
    async with working(gateway, bench.step, drain=0.2, crash_guard=CrashGuard(3, journal)):
        await until(lambda: bool(gateway.told))
    journal.close()
    after = Journal.open(tmp_path)
    after.close()
    assert after.begun == {}


async def test_a_step_that_swallows_its_cancellation_gets_no_reply_once_it_was_released(
    gateway: ScriptedGateway,
) -> None:
    step, began = Step("work", undo=None), asyncio.Event()

    @step.do
    async def work(task: Task) -> Done:
        began.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(600)
        return Done(name=task.name)

    gateway.push(gateway.job(retries=3))
    async with working(gateway, step, drain=0.1):
        await began.wait()
    assert [type(request) for request in gateway.told] == [pb.FailJobRequest]


async def test_task_types_share_the_window_of_their_process(gateway: ScriptedGateway, bench: Bench) -> None:
    other = Bench("other")
    gateway.push(*(gateway.job(task_type=each) for each in ("work", "other") * 10))
    async with working(gateway, bench.step, beside=[other.step], window=5, window_per_type=4) as worker:
        await until(lambda: bench.running + other.running == 5)
        assert worker.active.total() == 5
        bench.go.set()
        other.go.set()
        await until(lambda: len(gateway.told) == 20)
    assert max(bench.most_running, other.most_running) <= 4


async def test_only_what_a_step_reads_is_fetched(gateway: ScriptedGateway, bench: Bench) -> None:
    async with working(gateway, bench.step, schedule=QUICK):
        await until(lambda: gateway.streams == 1 and gateway.polls >= 2)
    assert gateway.fetched == {("name",)}


async def test_what_a_stop_leaves_unanswered_is_reported_as_in_doubt(gateway: ScriptedGateway) -> None:
    """One job is being answered, one has failed and waits, and one runs: the broker hears of none of them."""
    answered, runs, seen = Bench(), Bench("runs"), Seen()
    fails = Step("fails", undo=None, retry=Retry(retries=3, base=60.0, cap=60.0))

    @fails.do
    async def fail(task: Task) -> Done:
        raise Unavailable(task.name)

    answered.go.set()
    gateway.verdict = lambda _request: grpc.StatusCode.UNAVAILABLE
    gateway.push(*(gateway.job(task_type=each) for each in ("work", "fails", "runs")))
    async with working(gateway, answered.step, seen, beside=[fails, runs.step], drain=0.2) as worker:
        await until(lambda: bool(gateway.told) and worker.waiting == {"fails": 1} and runs.running == 1)
        assert [ended.doubt for ended in seen.jobs] == [None], "the one that waits"
    doubts = {ended.job.task_type: ended.doubt for ended in seen.jobs if ended.doubt}
    assert doubts == dict.fromkeys(("work", "fails", "runs"), Doubt.UNANSWERED)


async def test_a_bug_of_the_workers_own_is_logged_and_frees_the_slot(
    gateway: ScriptedGateway, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.go.set()
    deliver = JobReplies.deliver

    async def faulty(answers: JobReplies, job: Job, answer: JobReply, lease: Lease) -> tuple[JobReply, Doubt | None]:
        if job.key == 1:
            raise ZeroDivisionError
        return await deliver(answers, job, answer, lease)

    monkeypatch.setattr(JobReplies, "deliver", faulty)
    gateway.push(gateway.job(), gateway.job())
    with capture_logs() as logs:
        async with working(gateway, bench.step, window=1, window_per_type=1):
            await until(lambda: len(gateway.told) == 1)
    assert [(line["event"], line["job"]) for line in logs if line["log_level"] == "error"] == [("bug in the worker", 1)]


async def test_idle_task_types_hold_no_slots(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    gateway.leave(*(gateway.job() for _ in range(5)))
    async with working(gateway, bench.step, window=1, window_per_type=1):
        await until(lambda: len(gateway.told) == 5)
    assert bench.most_running == 1
