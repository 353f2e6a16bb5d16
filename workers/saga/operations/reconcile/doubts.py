"""How an answer of which nobody knows whether the broker took it reaches the reconciler at once.

The worker tells it which saga to look at; it is a hint, and says nothing that is relied upon. One that is lost costs
no more than the time until the next sweep.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

import httpx
import structlog

from saga.clients.failure import Failure
from saga.common.backoff import exponential_delay
from saga.common.responses import fetch
from saga.kit.definition.registry import SagaRegistry
from saga.kit.execution.middleware import JobOutcome, Middleware
from saga.operations.reconcile.sweep import Finding, Sweeper
from saga.operations.reconcile.verdict import Verdict

PATH = "/doubts"
_MOST = 10_000
"""Sagas that are followed at once; the next sweep sees to the others."""
_AT_ONCE = 16
_FIRST, _LAST = 0.5, 16.0
"""Seconds between two looks at a saga: the first time, and at most. A cluster's searches lag by about a second."""
_TELLING = 2.0
"""Seconds to tell the reconciler."""

_log = structlog.get_logger(__name__)


class Reporter(Middleware):
    """Tells the reconciler of each answer in doubt."""

    def __init__(self, http: httpx.AsyncClient, sagas: SagaRegistry) -> None:
        """`http` has the reconciler's base URL; `sagas` say which variable of a job holds the id."""
        self._http = http
        self._sagas = sagas
        self._telling: set[asyncio.Task[None]] = set()

    def ended(self, ended: JobOutcome) -> None:
        """Tell it, beside the worker's other work."""
        if ended.doubt is None or len(self._telling) >= _AT_ONCE:
            return
        saga = self._sagas.of_task_type(ended.job.task_type)
        saga_id = saga and saga.saga_in(ended.job.variables)
        if saga and saga_id:  # else nothing was done for it
            task = asyncio.create_task(self._tell(saga.variables(saga_id)))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def close(self) -> None:
        """Wait until it has heard of those that it is being told of."""
        if self._telling:
            await asyncio.wait(self._telling, timeout=_TELLING)

    async def _tell(self, variables: str) -> None:
        try:
            await fetch(self._http, "POST", PATH, content=variables, timeout=_TELLING)
        except httpx.HTTPError as error:
            _log.info("the reconciler was not told of a doubt", error=type(error).__name__)


class Doubts:
    """The sagas that somebody has doubts about; each is looked at until it is settled, or left to the sweeps."""

    def __init__(self, sweeper: Sweeper, sagas: SagaRegistry, account: Callable[[Sequence[Finding]], None]) -> None:
        """Follow them with `sweeper`; `account` hears what came of it."""
        self._sweeper = sweeper
        self._sagas = sagas
        self._account = account
        self._due: dict[str, tuple[float, int]] = {}
        """By saga: when it is looked at next, and how often it was before."""
        self._news = asyncio.Event()

    def receive(self, body: bytes) -> bool:
        """Take what a worker tells; return whether it was the id of a saga."""
        saga_id = next(filter(None, (saga.saga_in(body) for saga in self._sagas.definitions)), None)
        if saga_id is None:
            return False
        if len(self._due) < _MOST:
            self._due.setdefault(saga_id, (time.monotonic() + _FIRST, 0))
            self._news.set()
        return True

    async def follow(self) -> None:
        """Look at them, each after a pause that doubles, until cancelled."""
        while True:
            now = time.monotonic()
            due = [saga_id for saga_id, (at, _) in self._due.items() if at <= now][:_AT_ONCE]
            await asyncio.gather(*(self._look(saga_id) for saga_id in due))
            pause = min((at for at, _ in self._due.values()), default=now + _LAST) - time.monotonic()
            self._news.clear()
            try:
                async with asyncio.timeout(max(pause, 0.0)):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _look(self, saga_id: str) -> None:
        troubles: list[str] = []
        open_ = False
        try:
            async for found in self._sweeper.find(troubles, saga_id=saga_id):
                settled = await self._sweeper.settle(found)
                self._account(settled)
                open_ = open_ or any(each.verdict is Verdict.WAIT or each.why_not for each in settled)
        except Failure as failure:
            troubles.append(str(failure))
        _, looks = self._due.pop(saga_id)
        if (open_ or troubles) and _delay(looks) < _LAST:
            self._due[saga_id] = time.monotonic() + _delay(looks + 1), looks + 1


def _delay(looks: int) -> float:
    return exponential_delay(looks, base=_FIRST, cap=_LAST)
