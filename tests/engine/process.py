"""A real `saga engine` as a process, and what tests ask of it."""

import asyncio
import re
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import msgspec
import pytest
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from saga.engine.core import Record
from tests.engine import row

if TYPE_CHECKING:
    # The asynchronous stub exists for type checkers only: at run time it is the same class.
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

COMMAND = (sys.executable, "-m", "saga.cli", "engine")
_SMALL_DISK = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, 2 * (int(sys.argv[1]),))
os.execv(sys.argv[2], sys.argv[2:])
"""
ANY_PORTS = ("--port", "0", "--rest-port", "0", "--management-port", "0")
_ADDRESS = re.compile(r"(gRPC|REST|Management): +(?:http://)?(\S+)")
TIMEOUT = 30.0
"""Seconds for whatever a test waits for: an engine on a busy machine may be slow, and a lost answer never comes."""


def on_a_small_disk(size: int, *arguments: str) -> tuple[str, ...]:
    """Return the command of an engine whose files cannot be larger than `size` bytes, as on a disk that is full.

    It limits itself: to do so between fork and exec ends in an abort now and then, where gRPC has threads.
    """
    return sys.executable, "-c", _SMALL_DISK, str(size), *COMMAND, *arguments


class EngineProcess:
    """One engine; `addresses` has its ports by the names that it prints."""

    def __init__(self, process: Process, data: Path | None, addresses: dict[str, str]) -> None:
        self.process = process
        self.data = data
        self.gateway = addresses["gRPC"]
        self.rest = addresses["REST"]
        self.management = addresses["Management"]

    @asynccontextmanager
    async def stub(self) -> AsyncIterator["GatewayAsyncStub"]:
        """Open a channel of its own."""
        async with grpc.aio.insecure_channel(self.gateway, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            yield GatewayStub(channel)  # type: ignore[misc]

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), TIMEOUT)

    def records(self) -> list[Record]:
        """Read what it has committed."""
        assert self.data
        return read_log(self.data / "engine.sqlite")


def read_log(path: Path) -> list[Record]:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    rows = connection.execute("SELECT records FROM batch ORDER BY first_position").fetchall()
    connection.close()
    return [record for (blob,) in rows for record in msgspec.msgpack.decode(blob, type=list[Record])]


async def start(*options: str, data: Path | None = None) -> EngineProcess:
    """Start an engine on free ports; it answers when this returns."""
    where = ("--data", str(data)) if data else ("--memory",)
    process = await asyncio.create_subprocess_exec(*COMMAND, *where, *ANY_PORTS, *options, stdout=PIPE, stderr=PIPE)
    assert process.stdout
    assert process.stderr
    try:
        return EngineProcess(process, data, await _addresses(process.stdout))
    except EOFError:
        raise AssertionError((await process.stderr.read()).decode()) from None
    except TimeoutError:
        process.kill()
        raise


async def _addresses(printed: asyncio.StreamReader) -> dict[str, str]:
    """Read what an engine prints until it answers; it has ended where there is no more to read."""
    addresses: dict[str, str] = {}
    while True:
        line = (await asyncio.wait_for(printed.readline(), TIMEOUT)).decode()
        if not line:
            raise EOFError
        if line.startswith("Ready"):
            return addresses
        if found := _ADDRESS.match(line):
            addresses[found[1]] = found[2]


@asynccontextmanager
async def running(*options: str, data: Path | None = None) -> AsyncIterator[EngineProcess]:
    """Start an engine, and end it whatever happens."""
    engine = await start(*options, data=data)
    try:
        yield engine
    finally:
        if engine.process.returncode is None:
            await engine.kill()


async def refusal(*options: str) -> str:
    """Start an engine that must not start; return what it says."""
    process = await asyncio.create_subprocess_exec(*COMMAND, *options, stdout=PIPE, stderr=PIPE)
    _, errors = await asyncio.wait_for(process.communicate(), TIMEOUT)
    assert process.returncode in {1, 2}
    return " ".join(errors.decode().split())


def task(job_type: str, element: str = "task") -> bytes:
    """Draw a process of one task, with the id of the job type."""
    drawn = (
        f'<bpmn:serviceTask id="{element}"><bpmn:extensionElements><zeebe:taskDefinition type="{job_type}" />'
        "</bpmn:extensionElements></bpmn:serviceTask>"
    )
    return row(job_type, {element: drawn})


async def deploy(stub: "GatewayAsyncStub", resource: bytes, name: str = "process.bpmn") -> pb.DeployResourceResponse:
    return await stub.DeployResource(
        pb.DeployResourceRequest(resources=[pb.Resource(name=name, content=resource)]), timeout=TIMEOUT
    )


async def create(stub: "GatewayAsyncStub", process: str, variables: str = "{}") -> int:
    """Start an instance and return its key."""
    request = pb.CreateProcessInstanceRequest(bpmnProcessId=process, version=-1, variables=variables)
    return (await stub.CreateProcessInstance(request, timeout=TIMEOUT)).processInstanceKey


async def activate(
    stub: "GatewayAsyncStub", job_type: str, most: int = 32, wait: int = -1, lease: int = 60_000
) -> list[pb.ActivatedJob]:
    """Activate jobs; `wait` is the request's timeout in milliseconds, `lease` the jobs'."""
    request = pb.ActivateJobsRequest(
        type=job_type, worker="test", timeout=lease, maxJobsToActivate=most, requestTimeout=wait
    )
    return [job async for batch in stub.ActivateJobs(request, timeout=TIMEOUT) for job in batch.jobs]


async def refused(call: Awaitable[object], code: grpc.StatusCode) -> str:
    """Expect a status; return its text."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    assert error.value.code() is code, error.value.details()
    return error.value.details() or ""
