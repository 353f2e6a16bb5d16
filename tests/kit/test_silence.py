"""What an operator is told of a fault that no job shows: one line that names it, and no more than one a minute."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, cycle, islice
from typing import Any

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb
from structlog.testing import capture_logs

from saga.common.once_per_minute import OncePerMinute
from saga.kit import Retry, Step
from saga.kit.definition.headers import retry_of
from saga.kit.gateway.channel_watch import ChannelWatch
from saga.kit.subscription.lease_clock import LeaseClock
from tests.kit.bench import AT_ONCE, QUICK, Bench, until, working
from tests.kit.gateway import ScriptedGateway, serving
from tests.kit.task import Done, Task


def told(lines: list[Any], event: str) -> list[Any]:
    return [line for line in lines if line["event"] == event]


async def test_a_broker_that_is_busy_for_a_minute_is_told_once_and_the_worker_is_not_ready(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    timing = replace(AT_ONCE, busy_limit=0.5)
    other = Bench("other")
    refused: Counter[str] = Counter()

    def refuse(request: pb.ActivateJobsRequest) -> grpc.StatusCode:
        refused[request.type] += 1
        return grpc.StatusCode.RESOURCE_EXHAUSTED

    with capture_logs() as lines:
        async with working(gateway, bench.step, beside=[other.step], schedule=QUICK, timing=timing) as worker:
            await until(lambda: worker.ready)
            gateway.poll_verdict = refuse
            gateway.leave(gateway.job(), gateway.job(task_type="other"))
            await until(lambda: worker.unreachable == ["work", "other"])
            # Each of them has heard of one more refusal, when it asks after that.
            refused.clear()
            await until(lambda: min(refused["work"], refused["other"]) >= 2)
            gateway.poll_verdict = lambda _request: None
            await until(lambda: worker.ready)
    assert len(told(lines, "broker refuses for being busy")) == 1
    assert len(told(lines, "broker answers again")) == 1
    assert not told(lines, "task type unreachable")


async def test_an_answer_beyond_our_own_limit_is_told_as_that_and_fewer_jobs_are_asked_for(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    bench.go.set()
    asked: list[int] = []
    gateway.poll_verdict = lambda request: asked.append(request.maxJobsToActivate)
    gateway.leave(*(gateway.job(blob="x" * 1_000) for _ in range(200)))
    smaller = (("grpc.max_receive_message_length", 20_000),)
    async with serving(gateway) as address, grpc.aio.insecure_channel(address, smaller) as channel:
        with capture_logs() as lines:
            async with working(gateway, bench.step, channel=channel, window=200, window_per_type=200):
                await until(lambda: not gateway.left and len(gateway.told) >= 1)
                gateway.leave(*(gateway.job(blob="x" * 1_000) for _ in range(12)))
                await until(lambda: len(gateway.told) >= 12)
    assert [most for most in asked if most > 1][:2] == [128, 64]
    (line,) = told(lines, "task type unreachable")
    assert "WORKER_WINDOW_PER_TYPE" in line["limit"]


async def test_a_token_beyond_the_gateways_limit_is_told_as_that_and_the_worker_is_not_ready(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    class Huge(grpc.aio.UnaryStreamClientInterceptor):
        async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:  # noqa: ANN401 - grpc's
            token = grpc.aio.Metadata(("authorization", "x" * 20_000))
            return await continuation(client_call_details._replace(metadata=token), request)

    async with (
        serving(gateway) as address,
        grpc.aio.insecure_channel(address, interceptors=[Huge()]) as channel,
    ):
        with capture_logs() as lines:
            async with working(gateway, bench.step, channel=channel, patience=0.0) as worker:
                await until(lambda: bool(told(lines, "task type unreachable")))
                assert not worker.ready
    assert "token" in told(lines, "task type unreachable")[0]["limit"]


async def test_a_step_that_blocks_the_event_loop_is_named(gateway: ScriptedGateway) -> None:
    timing = replace(AT_ONCE, watchdog_interval=0.05, blocked_after=0.4)
    step = Step("blocks", undo=None)

    @step.do
    async def block(task: Task) -> Done:
        time.sleep(1.0)  # noqa: ASYNC251 - the fault
        return Done(name=task.name)

    gateway.push(gateway.job(task_type="blocks"))
    with capture_logs() as lines:
        async with working(gateway, step, timing=timing, lease=5.0):
            await until(lambda: len(gateway.told) == 1)
    named = [line for line in told(lines, "event loop blocked") if line["step"] == "blocks"]
    assert len(named) == 1
    assert "test_silence.py" in named[0]["where"]


def test_a_brokers_clock_that_is_set_back_is_told_with_how_far() -> None:
    ours = LeaseClock(OncePerMinute())

    def given_out(at: float) -> pb.ActivatedJob:
        return pb.ActivatedJob(key=(2 << 51) + 4711, deadline=round((at + 30.0) * 1000))

    with capture_logs() as lines:
        ours.lease_ends(given_out(5_000.0), 30.0, 10_000.0, earliest=9_999.9)
        for second in range(1, 60):
            ours.lease_ends(given_out(5_000.0 - 100.0 * second), 30.0, 10_000.0 + second, earliest=9_999.9 + second)
    (line,) = lines
    assert (line["event"], line["partition"]) == ("broker's clock was set back", 2)
    assert line["seconds"] == pytest.approx(101.0, abs=0.2)


@pytest.mark.parametrize("name", ["RetryCount", "retrycount", "retriesCount", "retryBackOff"])
def test_a_misspelt_task_header_is_named(name: str) -> None:
    step = Retry(retries=5, base=1.0, factor=2.0, cap=6.0, jitter=0.5)
    with capture_logs() as lines:
        for _ in range(3):
            assert retry_of(step, f'{{"{name}": "7", "colour": "red"}}') == step
    (line,) = lines
    assert (line["event"], line["header"]) == ("task header not known", name)
    assert "retryCount" in line["known"]


class FlappingChannel:
    """Is up and down again, so many times; then it stays up."""

    def __init__(self, times: int) -> None:
        states = (grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE)
        self._states: Iterator[grpc.ChannelConnectivity] = chain(islice(cycle(states), 2 * times), states[:1])
        self.is_over = asyncio.Event()

    def get_state(self, *, try_to_connect: bool) -> grpc.ChannelConnectivity:
        assert try_to_connect
        return next(self._states)

    async def wait_for_state_change(self, state: grpc.ChannelConnectivity) -> None:
        await asyncio.sleep(0)
        if state is grpc.ChannelConnectivity.READY and self._left() == 0:
            self.is_over.set()
            await asyncio.Event().wait()

    def _left(self) -> int:
        rest = list(self._states)
        self._states = iter(rest)
        return len(rest)


async def test_a_gateway_that_comes_and_goes_is_told_once_a_minute() -> None:
    channel = FlappingChannel(100)
    with capture_logs() as lines:
        watching = asyncio.create_task(ChannelWatch(channel).watch())  # type: ignore[arg-type] # as much of one as it needs
        await channel.is_over.wait()
        watching.cancel()
    assert [line["event"] for line in lines] == ["gateway unreachable", "gateway reachable again"]
