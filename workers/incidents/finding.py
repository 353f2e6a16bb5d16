"""Find the open incidents in Operate, with the names that a person has for what they are about."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from workers.incidents.kinds import without_values
from workers.operate import FlowNode, Operate
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

    def has(self, incident: "Incident") -> bool:
        """Tell whether the incident is asked for, as far as Operate was not asked for it alone."""
        return (
            self.process in {None, incident.process_id, incident.process}
            and self.element in {None, incident.element_id, incident.element}
            and (self.message or "").casefold() in incident.message.casefold()
        )


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


class Incidents:
    """The open incidents that Operate knows of."""

    def __init__(self, operate: Operate) -> None:
        """Ask `operate`, in which somebody is logged in."""
        self._operate = operate
        self._room = asyncio.Semaphore(AT_ONCE)
        self._definitions: dict[int, dict[str, Any]] = {}

    async def open(self, wanted: Wanted) -> AsyncIterator[Incident]:
        """Yield the open incidents that are wanted, the oldest first; one page of them is in memory at a time.

        Raises:
            Failure: Operate does not answer.
        """
        filters: dict[str, str | int] = {"state": "ACTIVE"} | ({"type": wanted.type} if wanted.type else {})
        async for page in self._pages(wanted.order, filters):
            for incident in await asyncio.gather(*map(self._name, page)):
                if incident is not None and wanted.has(incident):
                    yield incident

    async def one(self, key: int) -> Incident | None:
        """Return an incident that is open; None where there is no such.

        Raises:
            Failure: Operate does not answer.
        """
        found = await self._operate.find("incidents", key=key, state="ACTIVE")
        return await self._name(found[0]) if found else None

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

    async def _name(self, item: dict[str, Any]) -> Incident | None:
        """Look up what a person calls what the incident is about; None where it was resolved meanwhile."""
        instance = int(item["processInstanceKey"])
        async with self._room:
            elements = await self._operate.flow_nodes(instance, incidentKey=item["key"])
            if not elements:
                return None
            order = await self._order(instance)
            definition = await self._definition(item["processDefinitionKey"])
        return _incident(item, elements[0], definition, order)

    async def _order(self, instance: int) -> str | None:
        found = await self._operate.find("variables", scopeKey=instance, name=_ORDER)
        try:
            # Whatever else is in that variable is no order's name, and shown to nobody.
            return _ORDER_ID.validate_json(found[0]["value"])
        except (IndexError, ValidationError):
            return None

    async def _definition(self, key: int) -> dict[str, Any]:
        if key not in self._definitions:
            found = await self._operate.find("process-definitions", key=key)
            self._definitions[key] = found[0] if found else {}
        return self._definitions[key]


def _incident(item: dict[str, Any], element: FlowNode, definition: dict[str, Any], order: str | None) -> Incident:
    process_id = definition.get("bpmnProcessId", "")
    return Incident(
        key=item["key"],
        since=datetime.fromisoformat(item["creationTime"]),
        type=item["type"],
        message=without_values(item["type"], item["message"]),
        order=order,
        process=" ".join((definition.get("name") or process_id).split()),
        process_id=process_id,
        process_version=definition.get("version", 0),
        process_definition_key=item["processDefinitionKey"],
        process_instance_key=item["processInstanceKey"],
        element=" ".join(element.name.split()),
        element_id=element.flow_node_id,
        element_instance_key=element.key,
        job_key=item.get("jobKey"),
    )
