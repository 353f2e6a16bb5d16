"""The job loop against a scripted gateway: what is in hand, and what becomes of it when the worker stops."""

import asyncio
import json

import grpc
from pyzeebe.proto import gateway_pb2 as pb

from tests.kit.bench import Bench, until, working
from tests.kit.gateway import ScriptedGateway


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


async def test_a_job_in_hand_is_refused_a_second_run(gateway: ScriptedGateway, bench: Bench) -> None:
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


async def test_what_does_not_end_in_time_is_handed_back_with_its_retries_and_no_backoff(
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


async def test_what_arrived_and_found_no_slot_is_handed_back_too(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.push(*(gateway.job(retries=3) for _ in range(6)))
    async with working(gateway, bench.step, window=2, window_per_type=2, drain=0.2) as worker:
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


async def test_a_job_that_comes_while_the_worker_stops_is_handed_back(gateway: ScriptedGateway, bench: Bench) -> None:
    async with working(gateway, bench.step, drain=0.2) as worker:
        await until(lambda: gateway.streams == 1 and gateway.polls >= 2)
        worker.stop()
        gateway.push(gateway.job(retries=3))
        await until(lambda: len(gateway.told) == 1)
    (told,) = gateway.told
    assert isinstance(told, pb.FailJobRequest)
    assert (told.retries, told.retryBackOff) == (3, 0)
    assert bench.runs == 0


async def test_idle_task_types_hold_no_slots(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    gateway.leave(*(gateway.job() for _ in range(5)))
    async with working(gateway, bench.step, window=1, window_per_type=1):
        await until(lambda: len(gateway.told) == 5)
    assert bench.most_running == 1
