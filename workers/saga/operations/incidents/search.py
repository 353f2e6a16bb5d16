"""Find the open incidents, with the names that a person has for what they are about."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from saga.clients.diagram import Diagram, Task
from saga.clients.instances import IncidentItem, Instances
from saga.clients.sagas import instances_of, saga_of
from saga.kit.definition.registry import discover_sagas
from saga.operations.incidents.incident_types import without_values

AT_ONCE = 16
"""Questions to the cluster, and commands to the engine, at the same time: both have other work."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which incidents are asked for; None is any."""

    order: str | None = None
    """The id of its saga."""
    process: str | None = None
    """Its id or its name."""
    element: str | None = None
    """Its id or its name as drawn."""
    type: str | None = None
    message: str | None = None
    """Part of the message, in upper or lower case."""


class Incident(BaseModel):
    """An open incident; no value of a variable is in it but the id of its saga."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    key: int
    since: datetime
    type: str
    message: str
    order: str | None
    """The id of its saga, of whatever process; None where the instance holds none that is valid."""
    noun: str = Field("saga", exclude=True)
    """What people call that."""
    process: str
    process_id: str
    process_version: int
    process_definition_key: int
    process_instance_key: int
    element: str
    element_id: str
    element_instance_key: int
    job_key: int | None


@dataclass(frozen=True, slots=True)
class _Process:
    id: str
    name: str
    version: int


class Incidents:
    """The open incidents that the cluster shows."""

    def __init__(self, instances: Instances) -> None:
        """Ask `instances`."""
        self._instances = instances
        self._sagas = discover_sagas()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._processes: dict[int, _Process] = {}
        self._tasks: dict[tuple[int, str], Task | None] = {}

    async def open(self, wanted: Wanted) -> AsyncIterator[Incident]:
        """Yield the open incidents that are wanted, the oldest first; one page of them is in memory at a time.

        Raises:
            Failure: The cluster does not answer.
        """
        async for page in self._pages(wanted):
            for incident in await asyncio.gather(*(self._incident(item, wanted) for item in page)):
                if incident is not None:
                    yield incident

    async def one(self, key: int) -> Incident | None:
        """Return an incident that is open; None where there is no such.

        Raises:
            Failure: The cluster does not answer.
        """
        found = await self._instances.incident(key)
        return await self._incident(found, Wanted()) if found is not None and found.state == "ACTIVE" else None

    async def task(self, incident: Incident) -> Task | None:
        """Return what the incident's diagram says of the element; None where no worker does it.

        Raises:
            Failure: The cluster does not answer.
        """
        place = incident.process_definition_key, incident.element_id
        if place not in self._tasks:
            diagram = Diagram(await self._instances.diagram(incident.process_definition_key), incident.process_id)
            self._tasks[place] = diagram.task(incident.element_id)
        return self._tasks[place]

    async def message(self, key: int) -> str:
        """Return an incident's message, open or not; nothing where the cluster does not show it yet.

        Raises:
            Failure: The cluster does not answer.
        """
        found = await self._instances.incident(key)
        return without_values(found.type, found.message) if found is not None else ""

    async def arriving(self) -> int:
        """Return how many incidents the cluster has yet to take in; its pages do not show these either.

        Raises:
            Failure: The cluster does not answer.
        """
        return await self._instances.pending_incidents()

    async def _pages(self, wanted: Wanted) -> AsyncIterator[list[IncidentItem]]:
        if wanted.order is None:
            async for page in self._instances.incidents(type_=wanted.type):
                yield page
        else:
            found = [
                item
                for instance in await instances_of(self._instances, self._sagas, wanted.order)
                async for page in self._instances.incidents(type_=wanted.type, instance=instance.key)
                for item in page
            ]
            yield sorted(found, key=lambda item: item.creation_time)

    async def _incident(self, item: IncidentItem, wanted: Wanted) -> Incident | None:
        """Look up what a person calls what it is about; None where it is not wanted, or was resolved meanwhile."""
        message = without_values(item.type, item.message)
        async with self._room:
            process = await self._process(item.process_definition_key)
            if not (_is(wanted.process, process.id, process.name) and _holds(message, wanted.message)):
                return None
            element = await self._instances.element(item.element_instance_key)
            # A cluster may show an element's end before that of its incident.
            if element is None or element.state != "ACTIVE":
                return None
            if not _is(wanted.element, element.element_id, _on_one_line(element.name)):
                return None
            found = await saga_of(self._instances, self._sagas, item.process_instance_key, process.id)
        return Incident(
            key=item.key,
            since=item.creation_time,
            type=item.type,
            message=message,
            order=found[1] if found else None,
            noun=found[0].noun if found else self._sagas.noun_of(process.id),
            process=process.name,
            process_id=process.id,
            process_version=process.version,
            process_definition_key=item.process_definition_key,
            process_instance_key=item.process_instance_key,
            element=_on_one_line(element.name),
            element_id=element.element_id,
            element_instance_key=element.key,
            job_key=item.job_key,
        )

    async def _process(self, key: int) -> _Process:
        if key not in self._processes:
            found = await self._instances.definition(key)
            name = _on_one_line(found.name or found.process_id)
            self._processes[key] = _Process(found.process_id, name, found.version)
        return self._processes[key]


def _is(wanted: str | None, *names: str) -> bool:
    return wanted is None or wanted in names


def _holds(message: str, wanted: str | None) -> bool:
    return wanted is None or wanted.casefold() in message.casefold()


def _on_one_line(name: str) -> str:
    """Return a name as it is said: a modeler breaks it to make it fit."""
    return " ".join(name.split())
