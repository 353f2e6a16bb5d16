"""The engine as one process: log, core, writer, gateway, REST and management, from start to stop."""

import asyncio
import gc
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import projection
from .access import Access
from .core import Engine
from .fatal import end
from .faults import after_commit
from .folder import DataFolder
from .gateway import GatewayServer
from .log import Log
from .metrics import Metrics
from .ports import listen
from .records import RecordStream
from .recovery import recover
from .writer import Writer

if TYPE_CHECKING:
    from .web import HttpServer

_SWITCH = 0.001
"""Seconds after which a thread lets another one run: gRPC's own brings the requests while the loop is busy."""
_GARBAGE = 10_000
"""Objects that are made between two looks for garbage in cycles; a request leaves some ten of them."""


@dataclass(frozen=True)
class Options:
    """How an engine is started."""

    access: Access
    data: Path | None = None
    """The data folder; None keeps everything in memory."""
    host: str = "127.0.0.1"
    port: int = 26500
    rest_port: int = 8080
    management_port: int = 9600
    """Ports; 0 lets the system choose."""
    controlled_clock: bool = False
    fault: str | None = None
    zone: str = "UTC"
    first_key: int | None = None
    shows_values: bool = False
    """Whether `GET /records` shows what instances are about."""
    retention: int | None = None
    """How long ended instances are kept, in milliseconds of engine time; None keeps everything."""


@dataclass(frozen=True)
class Ports:
    """Where a running engine listens."""

    gateway: int
    rest: int
    management: int


async def serve(options: Options, started: Callable[[Ports], None]) -> None:
    """Run an engine until SIGTERM or Ctrl-C; `started` is called once all of its ports answer.

    Raises:
        CannotStart: The folder, the log, a port or an option cannot be used.
    """
    crash = after_commit(options.fault)
    with ExitStack() as stack:
        folder = DataFolder(options.data) if options.data else None
        if folder:
            stack.callback(folder.release)
        log = Log(folder.log if folder else None, projection)
        stack.callback(log.close)
        engine = Engine(zone=options.zone)
        recover(log, engine, now=_wall_clock(), first_key=options.first_key)
        reader = projection.Reader(lambda: _connect(log.reader_uri))
        stack.callback(reader.close)
        writer = Writer(engine, log, wall_clock=_wall_clock, after_commit=crash, retention=options.retention)
        await _run(options, writer, reader, started)


async def _run(options: Options, writer: Writer, reader: projection.Reader, started: Callable[[Ports], None]) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    metrics = Metrics()
    records = RecordStream(reader, shows_values=options.shows_values)
    writer.listeners += [metrics.listener, records.listener]
    with listen(options.host, options.rest_port) as rest, listen(options.host, options.management_port) as management:
        ports = (rest.getsockname()[1], management.getsockname()[1])
        gateway = GatewayServer(writer, options.access)
        port = await gateway.start(options.host, options.port)
        writing = asyncio.create_task(writer.run())

        def make_servers() -> list["HttpServer"]:
            from .web import management_server, rest_server  # noqa: PLC0415 - gRPC answers while HTTP is imported

            clock = options.controlled_clock
            return [
                rest_server(rest, writer, reader, options.access, controlled_clock=clock, gateway=port),
                management_server(management, metrics, records, options.access, lambda: not stopped.is_set()),
            ]

        http = await asyncio.to_thread(make_servers)
        serving = [server.begin() for server in http]
        # What is alive now lives as long as the process: no need to look at it again.
        sys.setswitchinterval(_SWITCH)
        gc.freeze()
        gc.set_threshold(_GARBAGE)
        gc.enable()
        started(Ports(port, *ports))
        stop = asyncio.create_task(stopped.wait())
        await asyncio.wait([stop, writing], return_when=asyncio.FIRST_COMPLETED)
        if writing.done():
            end(f"The writer has failed: {writing.exception()!r}")
        writer.stop()
        records.stop()
        for server in http:
            server.should_exit = True
        await asyncio.gather(gateway.stop(), *serving)
        writer.close()
        await writing


def _wall_clock() -> int:
    """Return the machine's time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=5, isolation_level=None, check_same_thread=False)
