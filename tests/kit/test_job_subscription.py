"""Getting jobs: nothing that the broker or the network does ends a subscription."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.kit.definition.discovery import handlers
from saga.kit.execution.wiring import create_worker
from saga.kit.gateway.backoff import Backoff
from saga.kit.gateway.connection import open_channel
from saga.kit.settings import EngineSettings, WorkerSettings
from tests.kit.bench import AT_ONCE, QUICK, Bench, over, until, working
from tests.kit.gateway import ScriptedGateway, serving
from tests.stack import free_port
from tests.world import eventually

_ANSWERS = pb.CompleteJobRequest, pb.FailJobRequest


async def test_a_polls_backpressure_costs_milliseconds(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    gateway.poll_verdict = lambda _request: grpc.StatusCode.RESOURCE_EXHAUSTED if gateway.polls <= 3 else None
    gateway.leave(gateway.job())
    loop = asyncio.get_running_loop()
    begin = loop.time()
    async with working(gateway, bench.step):
        await until(lambda: len(gateway.told) == 1)
        taken = loop.time() - begin
    assert taken < 2.0


async def test_a_worker_is_ready_once_the_broker_answers_and_not_while_it_stops(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    gateway.poll_verdict = lambda _request: grpc.StatusCode.UNAVAILABLE
    async with working(gateway, bench.step, schedule=QUICK) as worker:
        await until(lambda: gateway.polls > 2)
        assert not worker.ready
        gateway.poll_verdict = lambda _request: None
        await until(lambda: worker.ready)
        worker.stop()
        assert not worker.ready


async def test_a_broker_without_streams_is_served_by_polls(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    gateway.stream_status = grpc.StatusCode.UNIMPLEMENTED
    gateway.leave(*(gateway.job() for _ in range(5)))
    async with working(gateway, bench.step, schedule=QUICK) as worker:
        await until(lambda: len(gateway.told) == 5)
        await until(lambda: worker.ready)


@pytest.mark.parametrize(
    "status",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNKNOWN,
    ],
)
async def test_no_number_of_failures_ends_a_subscription(
    gateway: ScriptedGateway, bench: Bench, status: grpc.StatusCode
) -> None:
    bench.go.set()
    gateway.stream_status = status
    gateway.poll_verdict = lambda _request: status
    async with working(gateway, bench.step, schedule=QUICK, timing=replace(AT_ONCE, max_backoff=0.05)):
        await until(lambda: gateway.polls > 15 and gateway.streams_refused > 15)
        gateway.stream_status = None
        gateway.poll_verdict = lambda _request: None
        gateway.push(gateway.job())
        gateway.leave(gateway.job())
        await until(lambda: len(gateway.told) == 2)


async def test_a_stream_that_ends_unasked_is_opened_again_however_often(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    gateway.stream_ends_after = 1
    gateway.push(*(gateway.job() for _ in range(30)))
    async with working(gateway, bench.step):
        await until(lambda: len(gateway.told) == 30)
    assert gateway.streams_begun >= 30


async def test_a_gateway_that_is_gone_and_comes_back_is_found_again_within_a_second(bench: Bench) -> None:
    bench.go.set()
    first, second = (ScriptedGateway(), ScriptedGateway())  # type: ignore[abstract]
    port = free_port()
    async with serving(first, port) as address:
        channel = open_channel(EngineSettings.model_validate({"ZEEBE_ADDRESS": address}))
        random = Random(1)  # noqa: S311 - jitter
        settings = WorkerSettings(patience=0.2)
        worker = create_worker(channel, handlers([bench.step]), {}, settings, random, schedule=QUICK, timing=AT_ONCE)
        running = asyncio.create_task(worker.run())
        await until(lambda: worker.ready)
    await until(lambda: not worker.ready)
    assert worker.unreachable == ["work"]
    second.leave(second.job())
    async with serving(second, port):
        begun = time.monotonic()
        await until(lambda: len(second.told) == 1)
        took = time.monotonic() - begun
        await until(lambda: worker.ready)
        worker.stop()
        worker.stop()
        await running
    await channel.close()
    assert took < 1.5


async def test_an_outage_costs_no_calls_while_there_is_no_connection(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = 0
    pause = Backoff.pause

    async def counted(backoff: Backoff, code: grpc.StatusCode | None = None) -> None:
        nonlocal pauses
        pauses += 1
        await pause(backoff, code)

    monkeypatch.setattr(Backoff, "pause", counted)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{free_port()}") as channel:
        random = Random(1)  # noqa: S311 - jitter
        worker = create_worker(channel, handlers([bench.step]), {}, WorkerSettings(), random, timing=AT_ONCE)
        running = asyncio.create_task(worker.run())
        await until(lambda: pauses >= 2)
        await over(1.5)
        worker.stop()
        worker.stop()
        await running
    assert pauses < 8, "the stream and the poll wait for the connection, two seconds at most"


async def test_a_long_poll_that_is_answered_at_once_is_no_reason_to_spin(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    gateway.knows_no_partition = True
    async with working(gateway, bench.step, schedule=QUICK, patience=0.1) as worker:
        await until(lambda: gateway.polls >= 4)
        polls, begun = gateway.polls, time.monotonic()
        await until(lambda: time.monotonic() - begun > 1.0)
        assert gateway.polls - polls < 12
        assert not worker.ready, "a gateway without a broker behind it serves nobody"
        gateway.knows_no_partition = False
        bench.go.set()
        gateway.leave(gateway.job())
        await until(lambda: worker.ready and len(gateway.told) == 1)


async def test_a_worker_that_is_pushed_more_than_it_can_do_releases_jobs_and_polls(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    gateway.push(*(gateway.job(lease=2.0) for _ in range(20)))
    async with working(gateway, bench.step, window=2, window_per_type=2, lease=2.0):
        await until(lambda: bench.running == 2)
        # Half a second, a quarter of the lease, passes with the window full; then slots come free.
        await over(0.7)
        bench.go.set()
        await until(lambda: len(gateway.told) >= 20)
        assert gateway.streams == 0
    released = [request for request in gateway.told if isinstance(request, pb.FailJobRequest)]
    assert released
    assert all((request.retries, request.retryBackOff) == (3, 0) for request in released)
    assert {request.jobKey for request in gateway.told} == set(range(1, 21))


async def test_a_stream_gives_way_where_jobs_lie_in_its_buffers_though_each_soon_finds_a_slot(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    bench.go.set()
    # The last one's lease is over: the broker has given it to somebody else.
    old = [gateway.job(key=key, waited=10.0) for key in (2, 3, 4)] + [gateway.job(key=5, waited=31.0)]
    gateway.push(gateway.job(key=1), *old)
    async with working(gateway, bench.step):
        await until(lambda: gateway.streams_begun == 1 and gateway.streams == 0)
        await until(lambda: len(gateway.told) == 4)
        gateway.leave(gateway.job(key=6))
        await until(lambda: len(gateway.told) == 5)
    done, back = ([each.jobKey for each in gateway.told if isinstance(each, kind)] for kind in _ANSWERS)
    assert (sorted(done), sorted(back)) == ([1, 2, 6], [3, 4])


async def test_a_broker_whose_clock_is_set_back_is_served_by_the_stream_again(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    bench.go.set()
    gateway.push(gateway.job(lease=1.0), gateway.job(lease=1.0, waited=3600.0))
    async with working(gateway, bench.step, lease=1.0):
        await until(lambda: gateway.streams_begun == 1 and gateway.streams == 0)
        gateway.leave(gateway.job(lease=1.0, waited=3600.0))
        await until(lambda: gateway.streams_begun == 2)
        extensions = len(gateway.extensions)
        gateway.push(*(gateway.job(lease=1.0, waited=3600.0) for _ in range(20)))
        await until(lambda: len(gateway.told) == 23)
        assert gateway.streams_begun == 2
    assert len(gateway.extensions) == extensions


async def test_a_broker_whose_clock_is_set_back_and_that_rarely_has_a_job_is_served_by_the_stream_again(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    """No poll ever brings such a job; but it came down a stream that had brought nothing for long."""
    bench.go.set()
    gateway.push(gateway.job())
    async with working(gateway, bench.step):
        await until(lambda: len(gateway.told) == 1)
        await over(1.5)
        for told in (2, 3):
            gateway.push(gateway.job(waited=3600.0))
            await until(lambda wanted=told: len(gateway.told) == wanted)  # type: ignore[misc]
        assert (gateway.streams_begun, gateway.streams) == (1, 1)
    assert gateway.extensions == []


async def test_a_poll_that_hangs_keeps_no_pushed_job_from_its_turn(gateway: ScriptedGateway, bench: Bench) -> None:
    """As while one partition replays its log: for it a poll waits, and another one pushes."""
    bench.go.set()
    gateway.poll_takes = 60.0
    async with working(gateway, bench.step, window=1, window_per_type=1):
        for told in range(1, 8):
            gateway.push(gateway.job())
            begun = time.monotonic()
            await until(lambda wanted=told: len(gateway.told) == wanted)  # type: ignore[misc]
            assert time.monotonic() - begun < 1.0


async def test_where_the_broker_is_behind_for_long_jobs_are_polled_until_it_is_not(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    bench.go.set()
    gateway.replies = asyncio.Event()
    gateway.push(*(gateway.job() for _ in range(400)))
    async with working(gateway, bench.step, window=1_000, window_per_type=1_000):
        await until(lambda: gateway.streams_begun == 1 and gateway.streams == 0)
        gateway.forget_pushed()
        left = [gateway.job() for _ in range(100)]
        gateway.leave(*left)
        await until(lambda: {job.key for job in left} <= {request.jobKey for request in gateway.told})
        assert gateway.streams_begun == 1
        gateway.replies.set()
        await until(lambda: gateway.streams == 1)


async def test_a_burst_of_jobs_ends_no_stream(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    async with working(gateway, bench.step, window=1_000, window_per_type=1_000):
        for burst in range(1, 4):
            gateway.replies = asyncio.Event()
            gateway.push(*(gateway.job() for _ in range(200)))
            await until(lambda wanted=200 * burst: len(gateway.told) == wanted)  # type: ignore[misc]
            gateway.replies.set()
            await until(lambda: gateway.replied == len(gateway.told))
        assert gateway.streams_begun == 1


async def test_what_was_pushed_while_the_window_was_full_is_done_when_the_stream_gives_way(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    bench.go.set()
    gateway.reply_takes = 0.3
    gateway.push(*(gateway.job() for _ in range(400)))
    # What is on its way when the stream is ended comes again with its next lease, which nobody waits for here.
    async with working(gateway, bench.step, timing=replace(AT_ONCE, stream_quiet=1.0), window_per_type=64):
        await until(lambda: gateway.streams_begun > gateway.streams)
        await until(lambda: len(gateway.told) == 400)
    assert all(isinstance(request, pb.CompleteJobRequest) for request in gateway.told)


@pytest.mark.parametrize("status", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE])
async def test_jobs_are_pushed_again_where_polls_fail(
    gateway: ScriptedGateway, bench: Bench, status: grpc.StatusCode
) -> None:
    bench.go.set()
    gateway.replies = asyncio.Event()
    gateway.poll_verdict = lambda _request: status
    gateway.push(*(gateway.job() for _ in range(300)))
    async with working(gateway, bench.step, window=1_000, window_per_type=1_000):
        await until(lambda: gateway.streams_begun == 2 and gateway.streams == 1)
        gateway.replies.set()


async def test_what_a_stream_that_gives_way_had_brought_is_released_if_the_worker_stops_just_then(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    timing = replace(AT_ONCE, stream_quiet=60.0, stream_drain=60.0)
    bench.go.set()
    gateway.replies = asyncio.Event()
    gateway.push(*(gateway.job() for _ in range(300)))
    async with working(gateway, bench.step, timing=timing, window=1_000, window_per_type=1_000, drain=1.0):
        # So many and no more have a slot: the stream is being read empty.
        answered = await _comes_to_rest(lambda: len(gateway.told) if gateway.all_pushed() else 0)
        assert 256 < answered < 300
        asyncio.get_running_loop().call_later(0.2, gateway.replies.set)
    assert {request.jobKey for request in gateway.told[answered:]} == set(range(answered + 1, 301))
    assert all(isinstance(request, pb.FailJobRequest) for request in gateway.told[answered:])


async def _comes_to_rest(count: Callable[[], int]) -> int:
    """Return the count once it is not 0 and has not changed for a tenth of a second."""
    seen = [0]

    async def look() -> list[int]:
        seen.append(count())
        return seen[-20:]

    last = await eventually(look, lambda last: last[0] > 0 and len(set(last)) == 1, every=0.005)
    return last[0]
