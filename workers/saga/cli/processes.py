"""`saga workers --processes N`: N worker processes as one, to use more than one core.

The parent does no work of its own. It keeps its children alive, passes SIGTERM and Ctrl-C on to them, and answers
`/ready` and `/metrics` for all of them; each child answers the parent on a socket in a folder of the run.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import httpx
import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from saga.common.backoff import ExponentialBackoff
from saga.common.signals import on_stop_signal
from saga.kit.observability.health import Health, HealthServer
from saga.kit.settings import WorkerSettings
from saga.stack import launcher

_SETTLED = 60.0
"""Seconds after which a child counts as well."""
_PROBE = 2.0
"""Seconds that a child has to answer the parent."""

_log = structlog.get_logger(__name__)


class Processes:
    """The parent of a number of worker processes."""

    def __init__(self, count: int, port_offset: int, settings: WorkerSettings, sockets: Path) -> None:
        """Prepare `count` children; their health sockets are made in the folder `sockets`."""
        self._names = [str(number) for number in range(1, count + 1)]
        self._port_offset = port_offset
        self._settings = settings
        self._sockets = sockets
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Pass a request to end on to every child."""
        self._stopping.set()
        for process in self._children.values():
            _ask_to_end(process)

    async def run(self) -> int:
        """Run until `stop`; return 0, or the status of a child that did not end well."""
        health = HealthServer(self._settings.host, self._settings.port, self._health, self._metrics)
        serving = asyncio.create_task(health.serve())
        try:
            statuses = await asyncio.gather(*(self._keep(name) for name in self._names))
        finally:
            health.should_exit = True
            await serving
        return next((status for status in statuses if status), 0)

    async def _keep(self, name: str) -> int:
        """Start a child again whenever it ends unasked; return how it ended when it was asked."""
        backoff = ExponentialBackoff(base=0.5, cap=30.0)
        next(backoff)  # The first start counts: a child that ends soon after it waits longer than one that has settled.
        while True:
            process = self._children[name] = await self._spawn(name)
            if self._stopping.is_set():  # `stop` was called before there was this child.
                _ask_to_end(process)
            begun = time.monotonic()
            status = await process.wait()
            if self._stopping.is_set():
                return status
            if time.monotonic() - begun > _SETTLED:
                backoff.reset()
            pause = next(backoff)
            _log.error("worker process ended", process=name, status=status, pause=pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
                return status

    async def _spawn(self, name: str) -> asyncio.subprocess.Process:
        worker = (sys.executable, "-m", "saga.cli", "workers", "--port-offset", str(self._port_offset))
        # Tied to this process: a child without its parent would go on unseen.
        tied = (sys.executable, "-I", "-S", launcher.__file__, str(os.getpid()), str(int(signal.SIGTERM)), "", "--")
        return await asyncio.create_subprocess_exec(
            *tied,
            *worker,
            env={**os.environ, "WORKER_HOST": f"unix:{self._socket(name)}"},
            start_new_session=True,  # A Ctrl-C in the terminal reaches the parent alone, which passes it on once.
        )

    def _socket(self, name: str) -> Path:
        return self._sockets / f"{name}.sock"

    async def _ask(self, name: str, path: str) -> httpx.Response | None:
        # No TLS on a socket of our own: to read the certificates for each question would take longer than the answer.
        transport = httpx.AsyncHTTPTransport(verify=False, uds=str(self._socket(name)))
        async with httpx.AsyncClient(transport=transport, base_url="http://worker", timeout=_PROBE) as client:
            with suppress(httpx.TransportError):
                return await client.get(path)
        return None

    async def _health(self) -> Health:
        answers = await asyncio.gather(*(self._ask(name, "/ready") for name in self._names))
        unreachable = {each for answer in answers if answer is not None for each in answer.json()["unreachable"]}
        ready = all(answer is not None and answer.is_success for answer in answers)
        return Health(ready, sorted(unreachable))

    async def _metrics(self) -> bytes:
        answers = await asyncio.gather(*(self._ask(name, "/metrics") for name in self._names))
        registry = CollectorRegistry()
        registry.register(_Merged({n: a.text for n, a in zip(self._names, answers, strict=True) if a is not None}))
        return generate_latest(registry)


def _ask_to_end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)


class _Merged(Collector):
    """The children's metrics as one, told apart by the label `process`."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for process, text in self._texts.items():
            for family in text_string_to_metric_families(text):
                merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    merged.add_sample(sample.name, {**sample.labels, "process": process}, sample.value)
        return families.values()


def run_processes(count: int, port_offset: int, settings: WorkerSettings) -> int:
    """Run `count` worker processes until SIGTERM or Ctrl-C; return the exit status."""

    async def run() -> int:
        with tempfile.TemporaryDirectory(prefix="saga-workers-") as sockets:
            processes = Processes(count, port_offset, settings, Path(sockets))
            on_stop_signal(lambda _: processes.stop())
            return await processes.run()

    return asyncio.run(run())
