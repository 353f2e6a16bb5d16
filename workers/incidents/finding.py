"""Find the open incidents in Operate, with the names that a person has for what they are about."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from workers.diagram import Diagram, Task
from workers.incidents.kinds import without_values
from workers.operate import Operate
from workers.order import OrderId

AT_ONCE = 16
"""Questions to Operate, and commands to the engine, at the same time: both have other work."""

_ORDER = "orderId"
"""The process variable that names the order."""
_ORDER_ID: TypeAdapter[str] = TypeAdapter(OrderId)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which incidents are asked for; None is any."""

    order: str | None = None
    process: str | None = None
    """Its id or its name."""
    element: str | None = None
    """Its id or its name as drawn."""
    type: str | None = None
    message: str | None = None
    """Part of the message, in upper or lower case."""


class Incident(BaseModel):
    """An open incident; no value of a variable is in it but the order's id."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    key: int
    since: datetime
    type: str
    message: str
    order: str | None
    """None where the instance has no `orderId` that is one."""
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
    """The open incidents that Operate knows of."""

    def __init__(self, operate: Operate) -> None:
        """Ask `operate`, in which somebody is logged in."""
        self._operate = operate
        self._room = asyncio.Semaphore(AT_ONCE)
        self._processes: dict[int, _Process] = {}
        self._tasks: dict[tuple[int, str], Task | None] = {}

    async def open(self, wanted: Wanted) -> AsyncIterator[Incident]:
        """Yield the open incidents that are wanted, the oldest first; one page of them is in memory at a time.

        Raises:
            Failure: Operate does not answer.
        """
        filters: dict[str, str | int] = {"state": "ACTIVE", **({"type": wanted.type} if wanted.type else {})}
        async for page in self._pages(wanted.order, filters):
            for incident in await asyncio.gather(*(self._incident(item, wanted) for item in page)):
                if incident is not None:
                    yield incident

    async def one(self, key: int) -> Incident | None:
        """Return an incident that is open; None where there is no such.

        Raises:
            Failure: Operate does not answer.
        """
        found = await self._operate.find("incidents", key=key, state="ACTIVE")
        return await self._incident(found[0], Wanted()) if found else None

    async def task(self, incident: Incident) -> Task | None:
        """Return what the incident's diagram says of the element; None where no worker does it.

        Raises:
            Failure: Operate does not answer.
        """
        place = incident.process_definition_key, incident.element_id
        if place not in self._tasks:
            diagram = Diagram(await self._operate.diagram(incident.process_definition_key), incident.process_id)
            self._tasks[place] = diagram.task(incident.element_id)
        return self._tasks[place]

    async def message(self, key: int) -> str:
        """Return an incident's message, open or not; nothing where Operate does not show it yet.

        Raises:
            Failure: Operate does not answer.
        """
        found = await self._operate.find("incidents", key=key)
        return without_values(found[0]["type"], found[0]["message"]) if found else ""

    async def arriving(self) -> int:
        """Return how many incidents Operate has heard of and not yet taken in, which its pages do not show either.

        Raises:
            Failure: Operate does not answer.
        """
        return await self._operate.count("incidents", state="PENDING")

    async def _pages(self, order: str | None, filters: dict[str, str | int]) -> AsyncIterator[list[dict[str, Any]]]:
        if order is None:
            async for page in self._operate.pages("incidents", "creationTime", **filters):
                yield page
        else:
            instances = await self._operate.instances(_ORDER, order)
            found = [
                item
                for instance in instances
                for item in await self._operate.find("incidents", processInstanceKey=instance, **filters)
            ]
            yield sorted(found, key=lambda item: str(item["creationTime"]))

    async def _incident(self, item: dict[str, Any], wanted: Wanted) -> Incident | None:
        """Look up what a person calls what it is about; None where it is not wanted, or was resolved meanwhile."""
        instance = int(item["processInstanceKey"])
        message = without_values(item["type"], item["message"])
        async with self._room:
            process = await self._process(item["processDefinitionKey"])
            if not (_is(wanted.process, process.id, process.name) and _holds(message, wanted.message)):
                return None
            elements = await self._operate.flow_nodes(instance, incidentKey=item["key"])
            # Operate learns of an element's end before it closes its incident.
            if not elements or elements[0].state != "ACTIVE":
                return None
            if not _is(wanted.element, elements[0].flow_node_id, _on_one_line(elements[0].name)):
                return None
            order = await self._order(instance)
        return Incident(
            key=item["key"],
            since=datetime.fromisoformat(item["creationTime"]),
            type=item["type"],
            message=message,
            order=order,
            process=process.name,
            process_id=process.id,
            process_version=process.version,
            process_definition_key=item["processDefinitionKey"],
            process_instance_key=instance,
            element=_on_one_line(elements[0].name),
            element_id=elements[0].flow_node_id,
            element_instance_key=elements[0].key,
            job_key=item.get("jobKey"),
        )

    async def _order(self, instance: int) -> str | None:
        found = await self._operate.find("variables", scopeKey=instance, name=_ORDER)
        try:
            # Whatever else is in that variable is no order's name, and shown to nobody.
            return _ORDER_ID.validate_json(found[0]["value"])
        except (IndexError, ValidationError):
            return None

    async def _process(self, key: int) -> _Process:
        if key not in self._processes:
            [found] = await self._operate.find("process-definitions", key=key)
            id_ = found["bpmnProcessId"]
            self._processes[key] = _Process(id_, _on_one_line(found.get("name") or id_), found["version"])
        return self._processes[key]


def _is(wanted: str | None, *names: str) -> bool:
    return wanted is None or wanted in names


def _holds(message: str, wanted: str | None) -> bool:
    return wanted is None or wanted.casefold() in message.casefold()


def _on_one_line(name: str) -> str:
    """Return a name as it is said: a modeler breaks it to make it fit."""
    return " ".join(name.split())
