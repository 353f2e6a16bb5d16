"""The path of one job through the runtime, as a recording: `python -m tests.architecture.job_path` prints it.

A real job runs through a worker on the scripted gateway. Each function of saga.kit that is entered on the way, from the
job's activation to its reply, is a call; calls of one module in a row are one stop. A stop at a module that the path
has left before is a return.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from types import CodeType, FrameType
from typing import Any, NamedTuple

from saga.kit.execution.replies import JobReplies
from saga.kit.execution.worker import Worker
from tests.kit.bench import Bench, until, working
from tests.kit.gateway import ScriptedGateway

_RUNTIME = "saga.kit."


class Call(NamedTuple):
    """A function that was entered, or left."""

    task: "asyncio.Task[Any] | None"
    event: str
    module: str
    code: CodeType

    @property
    def function(self) -> str:
        return self.code.co_qualname


class Stop(NamedTuple):
    """Calls in a row of one module."""

    module: str
    functions: list[str]


class Path(NamedTuple):
    """The stops of one job."""

    stops: list[Stop]

    @property
    def modules(self) -> set[str]:
        return {stop.module for stop in self.stops}

    @property
    def returns(self) -> int:
        return len(self.stops) - len(self.modules)

    def __str__(self) -> str:
        seen: set[str] = set()
        lines = []
        for number, (module, functions) in enumerate(self.stops, 1):
            mark = "↑" if module in seen else " "
            seen.add(module)
            lines.append(f"{number:3} {mark} {module:34} {', '.join(functions)}")
        figures = f"{len(self.stops)} stops in {len(self.modules)} modules, {self.returns} of them returns (↑)"
        return "\n".join([*lines, figures])


async def record() -> Path:
    """Run one job and record its path."""
    gateway = ScriptedGateway()  # type: ignore[abstract] # it answers what a worker asks, and no more
    bench = Bench()
    bench.go.set()
    async with working(gateway, bench.step):
        gateway.push(gateway.job())
        await until(lambda: gateway.replied == 1)  # Its stream is open, and everything has been imported.
        with _recording() as events:
            gateway.push(gateway.job())
            await until(lambda: gateway.replied == 2)
    return Path([Stop(module, [call.function for call in calls]) for module, calls in _by_module(events)])


def _by_module(events: list[Call]) -> Iterator[tuple[str, Iterator[Call]]]:
    calls = [*_until_received(events), *_until_replied(events)]
    return groupby(calls, key=lambda call: call.module)


def _until_received(events: list[Call]) -> Iterator[Call]:
    """Return the calls in the stream's task, from reading the job until it has a task of its own."""
    receive = Worker.receive.__code__
    task = next(each.task for each in events if each.code is receive)
    for each in events:
        if each.task is task and each.event == "call":
            yield each
        if each.task is task and each.event == "return" and each.code is receive:
            return


def _until_replied(events: list[Call]) -> Iterator[Call]:
    """Return the calls in the job's own task until its reply is handed to gRPC."""
    request = JobReplies._request.__code__  # noqa: SLF001 - it is the last call before gRPC's
    task = next(each.task for each in events if each.code is request)
    for each in events:
        if each.task is task and each.event == "call":
            yield each
            if each.code is request:
                return


@contextmanager
def _recording() -> Iterator[list[Call]]:
    """Record the functions of the runtime that this thread enters and leaves, without those that dataclasses generate.

    A coroutine is entered once, however often it is resumed.
    """
    events: list[Call] = []
    entered: dict[int, FrameType] = {}  # The frames are kept, so that none of them gets another one's id.

    def note(frame: FrameType, event: str, _argument: object) -> None:
        module, code = frame.f_globals.get("__name__", ""), frame.f_code
        if not module.startswith(_RUNTIME) or code.co_filename == "<string>" or event not in {"call", "return"}:
            return
        if event == "call":
            if id(frame) in entered:
                return
            entered[id(frame)] = frame
        events.append(Call(asyncio.current_task(), event, module.removeprefix(_RUNTIME), code))

    sys.setprofile(note)
    try:
        yield events
    finally:
        sys.setprofile(None)


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(record())}\n")
