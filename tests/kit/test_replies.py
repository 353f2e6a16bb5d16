"""Answers to the broker: given until it has heard, and told as in doubt where nobody knows."""

import time
from dataclasses import replace
from pathlib import Path
from random import Random

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb
from structlog.testing import capture_logs

from saga.kit import Retry, Step
from saga.kit.definition.job import Job
from saga.kit.definition.outcomes import Complete, Fail, JobReply, StepError
from saga.kit.execution.crash_guard import CrashGuard, Journal
from saga.kit.execution.doubt import Doubt
from saga.kit.execution.lease import Lease
from saga.kit.execution.replies import JobReplies, doubt_of
from saga.kit.gateway.channel_watch import ChannelWatch
from tests.kit.bench import AT_ONCE, Bench, Seen, until, working
from tests.kit.gateway import ScriptedGateway
from tests.kit.task import Done, Task

GONE = grpc.StatusCode.NOT_FOUND


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
    async with working(gateway, bench.step, timing=replace(AT_ONCE, max_backoff=0.1)):
        await until(lambda: len(gateway.told) == 8)
    assert bench.runs == 1, "the step is not run again for the answer's sake"


@pytest.mark.parametrize(
    ("first", "second", "doubt"),
    [
        (grpc.StatusCode.NOT_FOUND, None, Doubt.ELEMENT_GONE),
        (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND, Doubt.ANSWERED_BEFORE),
        (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.FAILED_PRECONDITION, Doubt.NOT_ALLOWED),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.NOT_FOUND, Doubt.ELEMENT_GONE),
        (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.NOT_FOUND, Doubt.ELEMENT_GONE),
        (grpc.StatusCode.FAILED_PRECONDITION, None, Doubt.NOT_ALLOWED),
    ],
)
async def test_a_reply_that_may_not_have_been_accepted_is_reported_as_in_doubt(
    gateway: ScriptedGateway,
    bench: Bench,
    first: grpc.StatusCode,
    second: grpc.StatusCode | None,
    doubt: Doubt,
) -> None:
    bench.go.set()
    gateway.verdict = lambda _request: first if len(gateway.told) == 1 else second
    gateway.push(gateway.job())
    seen = Seen()
    async with working(gateway, bench.step, seen):
        await until(lambda: len(seen.jobs) == 1)
    (ended,) = seen.jobs
    assert (ended.doubt, ended.reply) == (doubt, Complete('{"done":{"name":"n"}}'))


@pytest.mark.parametrize(
    ("status", "doubt"),
    [(grpc.StatusCode.UNAVAILABLE, Doubt.UNANSWERED), (grpc.StatusCode.RESOURCE_EXHAUSTED, Doubt.UNANSWERED)],
)
async def test_an_answer_is_in_doubt_once_the_lease_is_over(
    gateway: ScriptedGateway, bench: Bench, status: grpc.StatusCode, doubt: Doubt
) -> None:
    bench.go.set()
    gateway.verdict = lambda _request: status
    gateway.extension_verdict = lambda _request: grpc.StatusCode.UNAVAILABLE
    gateway.push(gateway.job())
    seen = Seen()
    async with working(gateway, bench.step, seen, lease=0.5):
        await until(lambda: len(seen.jobs) == 1)
    assert [ended.doubt for ended in seen.jobs] == [doubt]
    assert len(gateway.told) > 1


async def test_an_answer_that_the_broker_took_is_in_no_doubt(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    gateway.push(gateway.job())
    seen = Seen()
    async with working(gateway, bench.step, seen):
        await until(lambda: len(seen.jobs) == 1)
    assert [ended.doubt for ended in seen.jobs] == [None]


async def test_what_the_broker_will_never_take_becomes_an_incident(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    gateway.verdict = lambda request: (
        grpc.StatusCode.INVALID_ARGUMENT if isinstance(request, pb.CompleteJobRequest) else None
    )
    gateway.push(gateway.job())
    seen = Seen()
    async with working(gateway, bench.step, seen):
        await until(lambda: len(seen.jobs) == 1)
    assert isinstance(gateway.told[1], pb.FailJobRequest)
    assert gateway.told[1].retries == 0
    (ended,) = seen.jobs
    assert ended.reply == Fail(0, 0.0, gateway.told[1].errorMessage), "what the broker has, log and metrics have too"


async def test_a_bug_is_an_incident_and_its_text_reaches_neither_broker_nor_log(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    bench.go.set()
    gateway.push(gateway.job(name="bug"))
    with capture_logs() as logs:
        async with working(gateway, bench.step):
            await until(lambda: len(gateway.told) == 1)
    (told,) = gateway.told
    assert isinstance(told, pb.FailJobRequest)
    assert told.retries == 0
    assert "RuntimeError" in told.errorMessage
    assert "4242424242424242" not in told.errorMessage + str(logs)


def test_a_job_that_is_gone_after_our_lease_was_lost_to_another_worker() -> None:
    gone = grpc.StatusCode.NOT_FOUND
    assert doubt_of(gone, Complete("{}"), unanswered=False, is_over=True) is Doubt.LEASE_LOST
    assert doubt_of(gone, Complete("{}"), unanswered=False, is_over=False) is Doubt.ELEMENT_GONE
    assert doubt_of(gone, Complete("{}"), unanswered=True, is_over=True) is Doubt.ANSWERED_BEFORE


def test_a_job_that_takes_no_answer_was_failed_by_us_or_else_by_somebody() -> None:
    there, failed = grpc.StatusCode.FAILED_PRECONDITION, Fail(2, 0.0, "away")
    assert doubt_of(there, failed, unanswered=True, is_over=False) is Doubt.ANSWERED_BEFORE
    assert doubt_of(there, failed, unanswered=False, is_over=False) is Doubt.NOT_ALLOWED
    assert doubt_of(there, Complete("{}"), unanswered=True, is_over=False) is Doubt.NOT_ALLOWED


async def test_a_job_that_comes_back_before_the_reply_to_its_failure_is_run_again_at_once(
    gateway: ScriptedGateway,
) -> None:
    step = Step("work", undo=None, refuses=set(), retry=Retry(base=0.0))
    runs = 0

    @step.do
    async def work(task: Task) -> Done:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise TimeoutError
        return Done(name=task.name)

    def verdict(_request: object) -> grpc.StatusCode | None:
        match len(gateway.told):
            case 1:  # Taken, but its reply is lost, and the job is given out again meanwhile.
                gateway.push(gateway.job(key=7, retries=2))
                return grpc.StatusCode.UNAVAILABLE
            case 2:
                return grpc.StatusCode.FAILED_PRECONDITION
        return None

    gateway.verdict = verdict
    gateway.push(gateway.job(key=7, retries=3))
    async with working(gateway, step, window=2, window_per_type=2):
        await until(lambda: len(gateway.told) == 3)
        # Every slot is free again.
        gateway.leave(*(gateway.job() for _ in range(4)))
        await until(lambda: len(gateway.told) == 7)
    assert [type(request) for request in gateway.told[:3]] == [
        *(pb.FailJobRequest, pb.FailJobRequest, pb.CompleteJobRequest)
    ]


async def test_an_answer_that_was_not_sent_for_want_of_a_token_was_not_taken() -> None:
    statuses = iter([(grpc.StatusCode.UNAVAILABLE, "plugin failed: no token: login answers 401"), (GONE, "")])

    class NoTokenThenGone:
        async def CompleteJob(self, _request: object, timeout: float) -> None:  # noqa: N802, ASYNC109 - as the stub has it
            del timeout
            code, details = next(statuses)
            raise grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details)

    def failed(_job: Job, error: StepError) -> JobReply:
        raise error

    async with grpc.aio.insecure_channel("127.0.0.1:9") as channel:
        link = ChannelWatch(channel)
        link.up.set()
        answers = JobReplies(NoTokenThenGone(), link, Random(1), failed)  # type: ignore[arg-type]  # noqa: S311 - jitter
        job = Job(7, "work", 1, 2, "process", "Task_Work", 3, 0.0)
        _, doubt = await answers.deliver(job, Complete("{}"), Lease(30.0, time.monotonic() + 30.0))
    assert doubt is Doubt.ELEMENT_GONE


async def test_an_answer_in_doubt_is_an_answer_all_the_same(gateway: ScriptedGateway, tmp_path: Path) -> None:
    bench = Bench()
    bench.go.set()
    journal = Journal.open(tmp_path)
    gateway.verdict = lambda _request: grpc.StatusCode.NOT_FOUND
    gateway.push(gateway.job(key=7))
    seen = Seen()
    async with working(gateway, bench.step, seen, crash_guard=CrashGuard(3, journal)):
        await until(lambda: len(seen.jobs) == 1)
    journal.close()
    after = Journal.open(tmp_path)
    after.close()
    assert after.begun == {}, "the job did not kill its worker"
