"""Keeps the parts of a stack running: starts them in order, restarts what crashes, stops them all in reverse."""

import asyncio
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil

from saga.common.backoff import ExponentialBackoff
from saga.stack.errors import PartFailedError
from saga.stack.logs import tail
from saga.stack.parts import Part
from saga.stack.state import PartState, ProcessId, StackState, State, kill_group
from saga.stack.supervisor_settings import DEFAULTS, SupervisorSettings

_LAUNCHER = Path(__file__).with_name("launcher.py")
_PROBE_INTERVAL = 0.1
_JITTER = (0.8, 1.2)
"""Factors, at least and at most, of the delay before a restart."""
_LAST_LINES = 15


class Supervisor:
    """Runs parts until it is told to stop, or until one of them cannot be kept running."""

    def __init__(
        self,
        parts: Sequence[Part],
        logs: Path,
        publish: Callable[[StackState], None],
        settings: SupervisorSettings = DEFAULTS,
    ) -> None:
        """Write each part's output below `logs`; `publish` is called with the state at every change of it."""
        self._parts = {part.name: part for part in parts}
        self._logs = logs
        self._publish = publish
        self._settings = settings
        self._ready = {part.name: asyncio.Event() for part in parts}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self.state = StackState(
            supervisor=ProcessId.of(os.getpid()), parts=[PartState(name=part.name) for part in parts]
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Start every part and keep it running until `stop` is set; whatever happens, all are stopped at the end.

        Raises:
            PartFailedError: a part crashed too often or never became ready.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        for part in self._parts:
            # One run, one log: the run before is kept, older ones are not.
            log = self._logs / f"{part}.log"
            if log.exists():
                log.replace(log.with_suffix(".log.1"))
        self._publish(self.state)
        try:
            await self._keep_all(stop)
        except Exception as error:
            self.state.failure = str(error)
            raise
        finally:
            await asyncio.shield(self._stop_all())

    async def _keep_all(self, stop: asyncio.Event) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
            tasks = [asyncio.create_task(self._keep(part, client)) for part in self._parts.values()]
            tasks.append(asyncio.create_task(_until(stop)))
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for task in done:
                task.result()

    async def until_ready(self) -> None:
        """Return once every part has been ready."""
        await asyncio.gather(*(event.wait() for event in self._ready.values()))

    async def _keep(self, part: Part, client: httpx.AsyncClient) -> None:
        await asyncio.gather(*(self._ready[name].wait() for name in part.needs if name in self._ready))
        if part.prepare is not None:
            await asyncio.to_thread(part.prepare)
        state, settings = self.state.part(part.name), self._settings
        crashes: deque[float] = deque(maxlen=settings.crashes)
        hangs: deque[float] = deque(maxlen=settings.hangs)
        unready = 0
        backoff = ExponentialBackoff(base=settings.first_delay, cap=settings.max_delay, jitter=_JITTER)
        while True:
            reason, is_hung = await self._run_once(part, client)
            now = time.monotonic()
            crashes.append(now)
            # Without regard to time: a single start that hangs may outlast the window.
            unready = 0 if state.state in {State.READY, State.DEGRADED} else unready + 1
            if is_hung:
                hangs.append(now)
                if len(hangs) == settings.hangs and now - hangs[0] < settings.hang_window:
                    raise PartFailedError(self._given_up(part, f"{reason}, {settings.hangs} times"))
            if unready == settings.crashes:
                raise PartFailedError(self._given_up(part, f"{reason}, {unready} times in a row before it was ready"))
            if len(crashes) == settings.crashes and now - crashes[0] < settings.crash_window:
                why = f"{reason}, {settings.crashes} times within {settings.crash_window:.0f} s"
                raise PartFailedError(self._given_up(part, why))
            if len(crashes) > 1 and now - crashes[-2] > settings.crash_window:
                backoff.reset()
            self._change(state, State.RESTARTING, process=None, restarts=state.restarts + 1)
            self._tell(f"{part.name} {reason}, and is started again: restart {state.restarts}")
            await asyncio.sleep(next(backoff))

    async def _run_once(self, part: Part, client: httpx.AsyncClient) -> tuple[str, bool]:
        """Start the part and wait for its end, which nobody asked for.

        Returns:
            How it ended, and whether that was because it gave no answer any more.
        """
        state = self.state.part(part.name)
        if state.restarts == 0:
            self._change(state, State.STARTING)
        started = time.monotonic()
        process = await self._spawn(part)
        with suppress(psutil.NoSuchProcess):  # it died at once, and is waited for below
            self._change(state, state.state, process=ProcessId.of(process.pid))
        ended = asyncio.create_task(process.wait())
        probing = asyncio.create_task(self._probe(part, client))
        try:
            await asyncio.wait([ended, probing], return_when=asyncio.FIRST_COMPLETED, timeout=part.ready_seconds)
            if not ended.done() and not probing.done():
                kill_group(process.pid)
                await self._gone(part, ended)
                return f"was not ready after {part.ready_seconds:.0f} s", False
            if probing.done() and not ended.done():
                probing.result()
                self._change(state, State.READY, ready_seconds=round(time.monotonic() - started, 1))
                self._ready[part.name].set()
                probing = asyncio.create_task(self._watch(part, client))
                await asyncio.wait([ended, probing], return_when=asyncio.FIRST_COMPLETED)
                if not ended.done():
                    probing.result()
                    kill_group(process.pid)
                    await self._gone(part, ended)
                    return f"gave no answer for {self._settings.hung_after:g} s", True
            return _how(await self._gone(part, ended)), False
        finally:
            ended.cancel()
            probing.cancel()

    async def _gone(self, part: Part, ended: asyncio.Task[int]) -> int:
        """Wait for the part's end and kill what it leaves behind, which may hold what its next start needs."""
        code = await ended
        await _kill_rest(part, self._processes.pop(part.name))
        return code

    async def _spawn(self, part: Part) -> asyncio.subprocess.Process:
        with (self._logs / f"{part.name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), str(int(part.death_signal)), part.user),
                "--",
                *part.command,
                env=os.environ | part.environment,
                cwd=part.directory,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A Ctrl-C in the terminal goes to the supervisor alone, which stops the parts in order.
                start_new_session=True,
            )
        self._processes[part.name] = process
        return process

    async def _probe(self, part: Part, client: httpx.AsyncClient) -> None:
        while True:
            with suppress(httpx.HTTPError, OSError):
                if await part.ready(client):
                    return
            await asyncio.sleep(_PROBE_INTERVAL)

    async def _watch(self, part: Part, client: httpx.AsyncClient) -> None:
        """Ask a part that was ready whether it is, show what it says, and return once it gives no answer any more."""
        state, settings = self.state.part(part.name), self._settings
        probe = part.alive or part.ready
        served = answered = time.monotonic()
        while time.monotonic() < answered + settings.hung_after:
            await asyncio.sleep(settings.watch_interval)
            serves = False
            with suppress(httpx.HTTPError, OSError):
                async with asyncio.timeout(settings.answer_timeout):
                    serves = await probe(client)
                answered = time.monotonic()
            if serves:
                served = answered
            if serves and state.state is State.DEGRADED:
                self._change(state, State.READY)
            elif state.state is State.READY and time.monotonic() > served + settings.degraded_after:
                self._change(state, State.DEGRADED)

    async def _stop_all(self) -> None:
        stopped = {name: asyncio.Event() for name in self._parts}
        await asyncio.gather(*(self._stop_in_turn(part, stopped) for part in self._parts.values()))

    async def _stop_in_turn(self, part: Part, stopped: dict[str, asyncio.Event]) -> None:
        for other in self._parts.values():
            if part.name in other.needs:
                await stopped[other.name].wait()
        try:
            await self._stop(part)
        finally:
            stopped[part.name].set()

    async def _stop(self, part: Part) -> None:
        state = self.state.part(part.name)
        process = self._processes.get(part.name)
        if process is not None:
            with suppress(ProcessLookupError):
                process.send_signal(part.stop_signal)
            self._change_if_possible(state, State.STOPPING)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), part.stop_seconds)
            # The part, should it not have listened; and its own children, should it have left any.
            await _kill_rest(part, process)
            await process.wait()
        self._change_if_possible(state, State.DOWN, process=None)

    def _change_if_possible(self, part: PartState, state: State, **changes: object) -> None:
        # On a full disk, or with nobody left to show it to, the parts have to be stopped all the same.
        with suppress(OSError):
            self._change(part, state, **changes)

    def _change(self, part: PartState, state: State, **changes: object) -> None:
        part.state = state
        for name, value in changes.items():
            setattr(part, name, value)
        self._publish(self.state)

    def _tell(self, what: str) -> None:
        """Append what happened to a part, with the time, to the supervisor's log."""
        with suppress(OSError), (self._logs / "supervisor.log").open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {what}.\n")

    def _given_up(self, part: Part, why: str) -> str:
        path = self._logs / f"{part.name}.log"
        lines = "\n".join(tail(path, _LAST_LINES))
        return f"{part.name} {why}; everything is stopped. The last lines of {path}:\n{lines}"


async def _kill_rest(part: Part, process: asyncio.subprocess.Process) -> None:
    kill_group(process.pid)
    if part.kill_rest is not None:
        await asyncio.to_thread(part.kill_rest)


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit status {code}"
    return f"was killed by {signal.Signals(-code).name}"
