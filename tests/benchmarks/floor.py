"""What nobody can be faster than: a gRPC server that does nothing but answer, and the disk."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import psutil
from pyzeebe.proto.gateway_pb2 import CompleteJobRequest

from saga.kit.gateway.connection import stub
from tests.benchmarks.peers.task import RESULT
from tests.stack import free_port

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_SERVER = Path(__file__).parent / "peers" / "echo.py"
_PAGE = bytes(4096)


class Echo:
    """A server that answers each completion at once."""

    def __init__(self, gateway: "GatewayAsyncStub", pid: int) -> None:
        """Ask through `gateway` the process `pid`."""
        self._gateway = gateway
        self._process = psutil.Process(pid)

    def cpu(self) -> float:
        """Return the seconds of CPU that the server has used."""
        times = self._process.cpu_times()
        return times.user + times.system

    async def call(self, key: int = 0) -> float:
        """Complete a job; return what the answer took in seconds."""
        begun = time.perf_counter()
        await self._gateway.CompleteJob(CompleteJobRequest(jobKey=key, variables=RESULT))
        return time.perf_counter() - begun


@asynccontextmanager
async def echoing() -> AsyncIterator[Echo]:
    """Run the server in a process of its own."""
    port = free_port()
    async with running(sys.executable, str(_SERVER), str(port)) as process:
        await process.stdout.readline()  # type: ignore[union-attr]  # it is a pipe
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            echo = Echo(stub(channel), process.pid)
            await echo.call()
            yield echo


@asynccontextmanager
async def running(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a command whose output can be read; at the end it is killed."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=os.environ, start_new_session=True
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


def fsync(folder: Path) -> float:
    """Write a page at the end of a file and return the seconds until the disk has it."""
    with (folder / "page").open("ab", buffering=0) as file:
        begun = time.perf_counter()
        file.write(_PAGE)
        os.fsync(file.fileno())
        return time.perf_counter() - begun
