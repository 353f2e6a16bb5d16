"""Retry incidents at the engine, and watch each until it is gone or has come back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import grpc
from pyzeebe.proto import gateway_pb2 as pb

from saga.clients.failure import Failure
from saga.clients.instances import ElementInstance, Instances, search_delays
from saga.kit.gateway.credentials import why_no_token
from saga.operations.incidents.search import AT_ONCE, Incident, Incidents

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_CALL = 10.0
"""Seconds that the engine has to answer."""
_UNKNOWN = 1
"""Tries for a job where the diagram has an expression for them."""
_BUSY_CODES = frozenset({grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED})
_BUSY = 0.2
"""Seconds until an engine that pushes back is asked again."""


class Verdict(StrEnum):
    """What became of one incident."""

    RESOLVED = "resolved"
    CAME_BACK = "came back"
    COULD_NOT = "could not"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one incident, and why it is not gone: the new incident's message, or what went wrong."""

    incident: Incident
    verdict: Verdict
    why: str = ""


class IncidentRetry:
    """Retries incidents; any number of these may be at work on the same ones."""

    def __init__(
        self,
        gateway: "GatewayAsyncStub",
        instances: Instances,
        retries: int | None,
        *,
        search_lag: float = 1.0,
        timeout: float = 60.0,
    ) -> None:
        """Grant each job `retries` tries; None is what the diagram grants a new one.

        Args:
            gateway: Takes the commands.
            instances: Shows what became of them.
            retries: Of each job.
            search_lag: Seconds until a cluster shows an event that the engine has; also the longest time between two
                searches.
            timeout: Seconds without news of any incident, after which no more is expected: many at once take a while.
        """
        self._gateway = gateway
        self._instances = instances
        self._incidents = Incidents(instances)
        self._retries = retries
        self._search_lag = search_lag
        self._timeout = timeout
        self._room = asyncio.Semaphore(AT_ONCE)
        self._news = time.monotonic()

    async def all(self, incidents: Iterable[Incident]) -> AsyncIterator[Outcome]:
        """Retry them, and yield what became of each as soon as that is known."""
        self._news = time.monotonic()
        for outcome in asyncio.as_completed([self._one(incident) for incident in incidents]):
            yield await outcome
            self._news = time.monotonic()

    async def _one(self, incident: Incident) -> Outcome:
        try:
            async with self._room:
                await self._resolve(incident)
                self._news = time.monotonic()
            return await self._watch(incident)
        except grpc.aio.AioRpcError as error:
            why = why_no_token(error)
            said = f"There is no token for the engine: {why}." if why else f"The engine answers {error.code().name}."
            return Outcome(incident, Verdict.COULD_NOT, said)
        except Failure as failure:
            return Outcome(incident, Verdict.COULD_NOT, str(failure))

    async def _resolve(self, incident: Incident) -> None:
        if incident.job_key is not None:
            retries = self._retries or await self._granted(incident)
            request = pb.UpdateJobRetriesRequest(jobKey=incident.job_key, retries=retries)
            await self._tell(self._gateway.UpdateJobRetries, request)
        await self._tell(self._gateway.ResolveIncident, pb.ResolveIncidentRequest(incidentKey=incident.key))

    async def _granted(self, incident: Incident) -> int:
        task = await self._incidents.task(incident)
        return int(task.retries) if task and task.retries.isdecimal() else _UNKNOWN

    async def _tell(self, call: Callable[..., Any], request: object) -> None:
        """Send a command until the engine has taken it up; what it does not find any more, somebody else resolved."""
        while True:
            try:
                await call(request, timeout=_CALL)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.NOT_FOUND:
                    return
                if error.code() not in _BUSY_CODES or self._is_silent:
                    raise
            else:
                return
            await asyncio.sleep(_BUSY)

    async def _watch(self, incident: Incident) -> Outcome:
        """Look at the element: that the engine took the command says nothing of the job's next try."""
        free_since: float | None = None
        for pause in search_delays(self._search_lag):
            await asyncio.sleep(pause)
            try:
                async with self._room:
                    element = await self._element(incident)
                    new = element.incident_key if element.incident_key != incident.key else None
                    message = await self._incidents.message(new) if new is not None else ""
            except Failure:
                if self._is_silent:
                    raise
                continue  # A storm is much for the cluster's searches too.
            is_free = element.incident_key is None
            free_since = (free_since or time.monotonic()) if is_free else None
            # Without a job the element goes on within the command; but the cluster may show the old incident's end
            # a moment before the new one.
            stays_free = free_since is not None and time.monotonic() - free_since >= self._search_lag
            if element.state != "ACTIVE" or (stays_free and incident.job_key is None):
                return Outcome(incident, Verdict.RESOLVED)
            if message:
                return Outcome(incident, Verdict.CAME_BACK, message)
            if self._is_silent:
                what = "its job has not ended" if is_free else "the cluster shows it as open"
                why = f"It was retried, and {what} after {self._timeout:g} seconds; look again later."
                return Outcome(incident, Verdict.COULD_NOT, why)
        raise AssertionError  # there is always another pause

    @property
    def _is_silent(self) -> bool:
        """Whether there was no news of any incident for too long."""
        return time.monotonic() - self._news > self._timeout

    async def _element(self, incident: Incident) -> ElementInstance:
        element = await self._instances.element(incident.element_instance_key)
        if element is None:
            message = "The cluster does not show its element any more."
            raise Failure(message)
        return element
