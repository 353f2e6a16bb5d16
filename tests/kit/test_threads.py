"""Blocking steps: on a bounded number of threads, and active until they return."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import respx
from pyzeebe.proto import gateway_pb2 as pb

from saga.kit import BlockingService, Retry, Service, Step
from tests.kit.bench import Bench, over, until, working
from tests.kit.gateway import ScriptedGateway, serving
from tests.kit.task import Done, Task
from tests.stack import ROOT


class BlockingBench:
    """A step that holds its thread until a test lets it go."""

    def __init__(self, *, limit: float = 60.0) -> None:
        self.go = threading.Event()
        self.running = 0
        self.most_running = 0
        self.ran: list[str] = []
        self._lock = threading.Lock()
        self.step = Step("work", undo=None, limit=limit, retry=Retry(cap=0.1))

        @self.step.do
        def work(task: Task) -> Done:
            with self._lock:
                self.ran.append(task.name)
                self.running += 1
                self.most_running = max(self.most_running, self.running)
            self.go.wait(30)
            with self._lock:
                self.running -= 1
            return Done(name=task.name)

    @property
    def runs(self) -> int:
        return len(self.ran)


@pytest.fixture
def blocking() -> Iterator[BlockingBench]:
    bench = BlockingBench()
    yield bench
    bench.go.set()


async def test_blocking_steps_run_side_by_side_and_the_loop_goes_on(
    gateway: ScriptedGateway, blocking: BlockingBench
) -> None:
    gateway.push(*(gateway.job() for _ in range(5)))
    async with working(gateway, blocking.step) as worker:
        await until(lambda: blocking.running == 5)
        assert worker.active["work"] == 5
        blocking.go.set()
        await until(lambda: len(gateway.told) == 5)
    assert all(isinstance(request, pb.CompleteJobRequest) for request in gateway.told)


async def test_no_more_threads_run_than_the_pool_has(gateway: ScriptedGateway, blocking: BlockingBench) -> None:
    gateway.push(*(gateway.job() for _ in range(12)))
    async with working(gateway, blocking.step, threads=3) as worker:
        await until(lambda: worker.active["work"] == 12)
        await until(lambda: blocking.running == 3)
        blocking.go.set()
        await until(lambda: len(gateway.told) == 12)
    assert blocking.most_running == 3


@pytest.mark.parametrize("retries", [2, 9])
async def test_a_job_past_its_limit_on_a_thread_gets_a_reply_and_stays_active_until_it_returns(
    gateway: ScriptedGateway, retries: int
) -> None:
    """It is retried then: by the broker, or by a person who has given it other tries."""
    blocking = BlockingBench(limit=0.3)
    gateway.push(gateway.job(key=7, retries=3))
    async with working(gateway, blocking.step) as worker:
        await until(lambda: len(gateway.told) == 1)
        assert isinstance(gateway.told[0], pb.FailJobRequest)
        assert gateway.told[0].retries == 2
        gateway.push(gateway.job(key=7, retries=retries), gateway.job(key=8, name="behind it"))
        await until(lambda: blocking.ran[1:] == ["behind it"])
        assert worker.active["work"] == 2
        assert blocking.ran.count("n") == 1, "the same job does not run beside itself"
        blocking.go.set()
        await until(lambda: worker.active["work"] == 0)
    assert blocking.ran.count("n") == 2
    assert isinstance([request for request in gateway.told if request.jobKey == 7][1], pb.CompleteJobRequest)


async def test_of_what_comes_while_a_thread_hangs_the_latest_is_tried(gateway: ScriptedGateway) -> None:
    """The lease of the one before is over."""
    blocking = BlockingBench(limit=0.3)
    gateway.push(gateway.job(key=7, retries=1, lease=0.8))
    async with working(gateway, blocking.step, lease=0.8, window=3):
        await until(lambda: len(gateway.told) == 1)
        gateway.leave(gateway.job(key=7, retries=5, lease=0.8))
        await until(lambda: not gateway.left)
        await over(1.0)
        gateway.leave(gateway.job(key=7, retries=5, lease=0.8))
        await until(lambda: not gateway.left)
        blocking.go.set()
        await until(lambda: len(gateway.told) == 2)
        blocking.go.clear()
        gateway.leave(*(gateway.job() for _ in range(3)))
        await until(lambda: blocking.running == 3)  # All slots have been given back.
        blocking.go.set()


async def test_what_came_while_a_thread_hung_is_left_to_others_once_its_lease_is_over(gateway: ScriptedGateway) -> None:
    blocking = BlockingBench(limit=0.3)
    gateway.push(gateway.job(key=7, retries=1, lease=0.8))
    async with working(gateway, blocking.step, lease=0.8) as worker:
        await until(lambda: len(gateway.told) == 1)
        gateway.leave(gateway.job(key=7, retries=5, lease=0.8))
        await until(lambda: not gateway.left)
        await over(1.0)
        blocking.go.set()
        await until(lambda: not worker.active)
    assert blocking.runs == 1
    assert gateway.extensions == [], "nobody else's lease is extended"


async def test_a_hung_thread_s_lease_is_not_extended_once_its_job_was_answered(gateway: ScriptedGateway) -> None:
    blocking, steady = BlockingBench(limit=0.3), Bench("steady")
    hung, running = gateway.job(key=7, retries=10, lease=0.8), gateway.job(key=8, task_type="steady", lease=0.8)
    gateway.push(hung, running)
    async with working(gateway, blocking.step, beside=[steady.step], lease=0.8) as worker:
        await until(lambda: bool(gateway.told) or bool(worker.waiting))
        before = gateway.extensions.count(7), gateway.extensions.count(8)
        await until(lambda: gateway.extensions.count(8) >= before[1] + 4)
        assert worker.active == {"work": 1, "steady": 1}
        assert gateway.extensions.count(7) == before[0], "else nobody ever gets this job again"
        blocking.go.set()
        steady.go.set()


@pytest.mark.parametrize("error", [StopIteration, GeneratorExit, KeyboardInterrupt])
async def test_a_blocking_step_that_raises_what_is_the_loop_s_own_is_answered_and_frees_its_thread(
    gateway: ScriptedGateway, error: type[BaseException]
) -> None:
    step = Step("work", undo=None)

    @step.do
    def work(task: Task) -> Done:
        if task.name == "faulty":
            raise error
        return Done(name=task.name)

    gateway.push(gateway.job(key=1, name="faulty"), gateway.job(key=2))
    async with working(gateway, step, threads=1):
        await until(lambda: len(gateway.told) == 2)
    failed, completed = sorted(gateway.told, key=lambda request: int(request.jobKey))
    assert failed.retries == 0
    assert "a bug of its own" in failed.errorMessage
    assert isinstance(completed, pb.CompleteJobRequest)


async def test_the_time_in_which_a_job_waits_for_a_thread_is_not_the_step_s(gateway: ScriptedGateway) -> None:
    step = Step("work", undo=None, limit=1.0)

    @step.do
    def work(task: Task) -> Done:
        time.sleep(0.6)
        return Done(name=task.name)

    gateway.push(gateway.job(), gateway.job())
    async with working(gateway, step, threads=1):
        await until(lambda: len(gateway.told) == 2)
    assert all(isinstance(request, pb.CompleteJobRequest) for request in gateway.told)


async def test_the_undo_in_place_of_a_do_stays_active_while_its_thread_runs(gateway: ScriptedGateway) -> None:
    go, undos = threading.Event(), []
    step = Step("work", undo="take-back", refuses={"CANCELLED"}, limit=0.3)

    @step.do
    async def work(task: Task) -> Done:
        return Done(name=task.name)

    @step.undo
    def take_back(task: Task) -> Done:
        undos.append(task.name)
        go.wait(30)
        return Done(name=task.name)

    told = {"instance": "1", "code": "CANCELLED", "message": "the customer called"}
    gateway.push(gateway.job(key=7, retries=9, compensate=told))
    async with working(gateway, step, threads=1) as worker:
        await until(lambda: worker.waiting == {"work": 1})
        assert worker.active == {"work": 1}, "its thread still runs"
        gateway.push(gateway.job(key=8, name="next", compensate=told))
        await until(lambda: worker.active == {"work": 2})
        assert undos == ["n"], "there is no other thread"
        go.set()
        await until(lambda: undos == ["n", "next"])
        await until(lambda: not worker.active)


async def test_an_async_step_takes_no_thread_though_its_undo_would(gateway: ScriptedGateway) -> None:
    step, running, go = Step("work", undo="take-back"), [], asyncio.Event()

    @step.do
    async def work(task: Task) -> Done:
        running.append(task.name)
        await go.wait()
        return Done(name=task.name)

    @step.undo
    def take_back(task: Task) -> Done:
        return Done(name=task.name)

    gateway.push(*(gateway.job() for _ in range(3)))
    async with working(gateway, step, threads=1):
        await until(lambda: len(running) == 3)
        go.set()


async def test_a_job_for_which_no_thread_becomes_free_is_left_to_another_worker_with_all_its_tries(
    gateway: ScriptedGateway,
) -> None:
    blocking = BlockingBench(limit=0.3)
    gateway.push(gateway.job(key=7, retries=10), gateway.job(key=8, retries=10))
    async with working(gateway, blocking.step, threads=1) as worker:
        await until(lambda: 8 in {request.jobKey for request in gateway.told})
        assert blocking.runs == 1
        (told,) = [request for request in gateway.told if request.jobKey == 8]
        assert (told.retries, told.retryBackOff) == (10, 0)
        assert "no thread was free" in told.errorMessage
        await until(lambda: worker.active == {"work": 1})
        blocking.go.set()


async def test_a_process_ends_though_a_thread_of_it_hangs(gateway: ScriptedGateway) -> None:
    gateway.push(gateway.job())
    program = (
        "import asyncio, sys, time, grpc\n"
        "from random import Random\n"
        "from tests.kit.bench import AT_ONCE, Done, Task\n"
        "from saga.kit import Step\n"
        "from saga.kit.definition.discovery import handlers\n"
        "from saga.kit.settings import WorkerSettings\n"
        "from saga.kit.execution.wiring import create_worker\n"
        "step = Step('work', undo=None)\n"
        "@step.do\n"
        "def work(task: Task) -> Done:\n"
        "    print('runs', flush=True)\n"
        "    time.sleep(600)\n"
        "async def main():\n"
        "    async with grpc.aio.insecure_channel(sys.argv[1]) as channel:\n"
        "        settings = WorkerSettings(drain=0.1)\n"
        "        worker = create_worker(channel, handlers([step]), {}, settings, Random(1), timing=AT_ONCE)\n"
        "        running = asyncio.create_task(worker.run())\n"
        "        await asyncio.to_thread(sys.stdin.readline)\n"
        "        worker.stop()\n"
        "        await running\n"
        "asyncio.run(main())\n"
    )
    async with serving(gateway) as address:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, address), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin
        assert process.stdout
        assert await process.stdout.readline() == b"runs\n"
        process.stdin.write(b"stop\n")
        begun = time.monotonic()
        status = await asyncio.wait_for(process.wait(), 30)
    assert status == 0
    assert time.monotonic() - begun < 20
    (told,) = gateway.told
    assert (told.retries, told.retryBackOff) == (3, 0), "it is released"


@respx.mock
async def test_a_blocking_step_asks_its_participant_through_the_workers_loop(respx_mock: respx.Router) -> None:
    route = respx_mock.put("http://participant.test/tasks/n").mock(return_value=httpx.Response(200, json={"name": "x"}))
    async with httpx.AsyncClient(base_url="http://participant.test") as http:
        service = BlockingService(
            Service("participant", http, "n/work", "1/2", lambda *_, **__: "t"), asyncio.get_running_loop()
        )
        done = await asyncio.to_thread(service.put, "/tasks/n", Done)
    assert done == Done(name="x")
    assert route.calls.last.request.headers["Idempotency-Key"] == '"n/work"'
