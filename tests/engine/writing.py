"""A writer without a process around it, on a log whose commits a test can hold back."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from saga.engine import projection
from saga.engine.core import Command, Engine, Record
from saga.engine.log import Log
from saga.engine.recovery import recover
from saga.engine.writer import JobRequest, Writer
from tests.engine.process import task

NOW = 1_700_000_000_000


class HeldLog:
    """Commits as the log does, once the test lets it."""

    def __init__(self) -> None:
        self.log = Log(None, projection)
        self.open = threading.Event()
        self.open.set()
        self.begun = asyncio.Event()
        """Set when a commit has begun."""
        self.batches: list[list[Record]] = []
        self._loop = asyncio.get_running_loop()

    def append(self, records: Sequence[Record]) -> None:
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self.open.wait(30)
        self.log.append(records)
        self.batches.append(list(records))

    def snapshot_position(self) -> int:
        return self.log.snapshot_position()

    def save_snapshot(self, state: bytes, position: int) -> None:
        self.log.save_snapshot(state, position)

    def remove_older(self, before: int) -> int | None:
        return self.log.remove_older(before)

    async def hold(self) -> None:
        """Let no commit end from now on."""
        self.open.clear()
        self.begun.clear()

    def release(self) -> None:
        self.open.set()


@asynccontextmanager
async def writing(job_type: str = "work") -> AsyncIterator[tuple[Writer, HeldLog]]:
    """Run a writer; a process with one task of this type, which is its id, is deployed."""
    log = HeldLog()
    engine = Engine()
    recover(log.log, engine, now=NOW, first_key=0)
    writer = Writer(engine, log)
    run = asyncio.create_task(writer.run())
    try:
        resources = [{"resourceName": "process.bpmn", "resource": task(job_type)}]
        await writer.send(Command("DEPLOYMENT", "CREATE", value={"resources": resources}))
        yield writer, log
    finally:
        log.release()
        writer.stop()
        writer.close()
        await run
        log.log.close()


async def create(writer: Writer, job_type: str = "work") -> int:
    """Start an instance and return its key."""
    response = await writer.send(creation(job_type))
    key: int = response["processInstanceKey"]
    return key


def creation(job_type: str = "work", variables: str = "{}") -> Command:
    value: dict[str, Any] = {
        "bpmnProcessId": job_type,
        "version": -1,
        "processDefinitionKey": -1,
        "variables": variables,
        "startInstructions": [],
    }
    return Command("PROCESS_INSTANCE_CREATION", "CREATE", value=value)


def wanted(job_type: str = "work", worker: str = "test") -> JobRequest:
    return JobRequest(job_type, worker, 60_000)
