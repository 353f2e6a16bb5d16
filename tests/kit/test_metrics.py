"""Metrics and health: what a process says of itself, without anything of a job."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import httpx
import pytest

from saga.kit.observability.health import Health, HealthServer
from saga.kit.observability.metrics import Metrics
from tests.kit.bench import Bench, until, working
from tests.kit.gateway import ScriptedGateway


async def test_jobs_are_counted_by_type_and_outcome_and_nothing_else(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    metrics = Metrics()
    gateway.push(gateway.job(name="Ada Lovelace"), gateway.job(name="bug"), gateway.job())
    gateway.verdict = lambda request: grpc.StatusCode.NOT_FOUND if request.jobKey == 3 else None
    async with working(gateway, bench.step, metrics) as worker:
        metrics.watch(worker)
        await until(lambda: 'outcome="in-doubt"' in metrics.text().decode())
        text = metrics.text().decode()
    for line in (
        'saga_jobs_ended_total{outcome="completed",task_type="work"} 1.0',
        'saga_jobs_ended_total{outcome="incident",task_type="work"} 1.0',
        'saga_jobs_ended_total{outcome="in-doubt",task_type="work"} 1.0',
        'saga_job_seconds_count{task_type="work"} 3.0',
        'saga_jobs_in_hand{task_type="work"} 0.0',
        'saga_jobs_waiting{task_type="work"} 0.0',
        'saga_task_type_unreachable{task_type="work"} 0.0',
    ):
        assert line in text
    assert "Lovelace" not in text


async def test_the_active_jobs_are_those_of_the_moment_when_asked(gateway: ScriptedGateway, bench: Bench) -> None:
    metrics = Metrics()
    gateway.push(gateway.job(), gateway.job())
    async with working(gateway, bench.step, metrics) as worker:
        metrics.watch(worker)
        await until(lambda: 'saga_jobs_in_hand{task_type="work"} 2.0' in metrics.text().decode())


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[tuple[list[Health], httpx.AsyncClient]]:
    """A health server on a socket, and the list whose last entry is what it says."""
    says = [Health(ready=True, unreachable=[])]

    async def health() -> Health:
        return says[-1]

    async def metrics() -> bytes:
        return b"a 1\n"

    server = HealthServer(f"unix:{tmp_path / 'w.sock'}", 0, health, metrics)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    transport = httpx.AsyncHTTPTransport(uds=str(tmp_path / "w.sock"))
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as http:
        yield says, http
    server.should_exit = True
    await serving


async def test_a_probe_is_told_which_task_types_are_out_of_reach(
    asked: tuple[list[Health], httpx.AsyncClient],
) -> None:
    says, http = asked
    ready = await http.get("/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "unreachable": []})
    says.append(Health(ready=False, unreachable=["work"]))
    away = await http.get("/ready")
    assert (away.status_code, away.json()) == (503, {"status": "not ready", "unreachable": ["work"]})
    assert (await http.get("/live")).status_code == 200
    assert (await http.get("/metrics")).text == "a 1\n"
    assert (await http.get("/other")).status_code == 404


async def test_who_never_sends_the_rest_of_a_request_keeps_no_process_from_its_end(tmp_path: Path) -> None:
    async def health() -> Health:
        return Health(ready=True, unreachable=[])

    async def metrics() -> bytes:
        return b""

    path = str(tmp_path / "w.sock")
    server = HealthServer(f"unix:{path}", 0, health, metrics, {"/notes": lambda _: True})
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(b"POST /notes HTTP/1.1\r\nHost: worker\r\nContent-Length: 5\r\n\r\n")
    await writer.drain()
    await until(lambda: bool(server.server_state.tasks))
    server.should_exit = True
    async with asyncio.timeout(5.0):
        await serving
    writer.close()
