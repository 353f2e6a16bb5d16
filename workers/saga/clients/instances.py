"""What the cluster shows of process instances: a dozen questions to Camunda 8's REST API (v2, 8.8 to 8.10).

A cluster's searches lag behind the engine, by about a second. What is not shown may still be on its way.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from saga.clients.addresses import Addresses
from saga.clients.failure import Failure, bad_input
from saga.clients.rest import PAGE, RestClient
from saga.common.backoff import ExponentialBackoff

_PAUSE = 0.25
"""Seconds between two looks at most."""
_FIRST_PAUSE = 0.02
"""Seconds after the first look: an engine without lag shows it by then."""
_ENDED = frozenset({"COMPLETED", "TERMINATED"})
_ALIVE = frozenset({"ACTIVE", "SUSPENDED"})


class _Item(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class ElementInstance(_Item):
    """One element that an instance went through."""

    key: int = Field(validation_alias="elementInstanceKey")
    element_id: str
    element_name: str | None = None
    type: str
    state: str
    """ACTIVE, COMPLETED or TERMINATED."""
    incident_key: int | None = None
    """The incident at which it stands now."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.element_name or self.element_id


class ProcessInstance(_Item):
    """One process instance."""

    key: int = Field(validation_alias="processInstanceKey")
    process_id: str = Field(validation_alias="processDefinitionId")
    definition_key: int = Field(validation_alias="processDefinitionKey")
    state: str
    """ACTIVE, COMPLETED, TERMINATED (cancelled) or, from 8.10 on, SUSPENDED."""
    start_date: datetime

    @property
    def has_ended(self) -> bool:
        """Whether it has ended; a state that we do not know is not an end."""
        return self.state in _ENDED

    @property
    def is_alive(self) -> bool:
        """Whether it goes on, now or once it is resumed; a state that we do not know says neither."""
        return self.state in _ALIVE


class IncidentItem(_Item):
    """One incident, open or not."""

    key: int = Field(validation_alias="incidentKey")
    type: str = Field(validation_alias="errorType")
    message: str = Field(validation_alias="errorMessage")
    state: str
    """ACTIVE, PENDING, RESOLVED, MIGRATED or UNKNOWN."""
    creation_time: datetime
    process_definition_key: int
    process_instance_key: int
    element_instance_key: int
    job_key: int | None = None


class ProcessDefinition(_Item):
    """One version of a process."""

    process_id: str = Field(validation_alias="processDefinitionId")
    name: str | None = None
    version: int


class _Variable(_Item):
    value: str
    """JSON."""


class Instances:
    """Asks the cluster about process instances; enter it to check the credentials, or just ask."""

    def __init__(self, base_url: str, *, page_size: int = PAGE) -> None:
        """`base_url` is that of the REST API, before `/v2`; credentials come from the environment.

        Searches ask for `page_size` items at a time.

        Raises:
            Failure: The environment does not name the credentials as it must.
        """
        self._rest = RestClient(base_url, page_size=page_size)

    @classmethod
    def at(cls, addresses: Addresses) -> Self:
        """Ask the cluster of `addresses`.

        Raises:
            Failure: Nothing says where its REST API is.
        """
        if addresses.rest is None:
            message = (
                "CAMUNDA_REST_ADDRESS is not set, and only the cluster's REST API tells what became of an instance. "
                "Set it."
            )
            raise bad_input(message)
        return cls(addresses.rest)

    async def __aenter__(self) -> Self:
        """Check the credentials.

        Raises:
            Failure: The cluster does not answer, or refuses them.
        """
        try:
            await self.check_login()
        except Failure:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._rest.close()

    # Every question raises Failure where the cluster does not answer, or refuses.

    async def check_login(self) -> None:
        """Check that the cluster answers and takes the credentials.

        Raises:
            Failure: It does not.
        """
        if await self._rest.get("/v2/topology") is None:
            message = (
                f"What answers at {self._rest.address} has no v2 API. CAMUNDA_REST_ADDRESS is that of Camunda 8.8 or "
                "later."
            )
            raise Failure(message)

    async def get(self, key: int) -> ProcessInstance | None:
        """Return a process instance; None where the cluster does not show it, or not yet."""
        return await self._rest.item(f"/v2/process-instances/{key}", ProcessInstance)

    async def with_variable(self, name: str, text: str, *, process: str | None = None) -> list[ProcessInstance]:
        """Return the process instances whose variable `name` is `text`, oldest first; of one process, or of all."""
        filters: dict[str, object] = {"variables": [{"name": name, "value": json.dumps(text)}]}
        if process is not None:
            filters["processDefinitionId"] = process
        pages = self._rest.pages("/v2/process-instances/search", ProcessInstance, filters, ["processInstanceKey"])
        return [instance async for page in pages for instance in page]

    async def has_active(self, name: str, text: str) -> bool:
        """Tell whether an instance that has not ended has `text` as its variable `name`."""
        return any(not instance.has_ended for instance in await self.with_variable(name, text))

    async def variable(self, instance: int, name: str) -> Any:  # noqa: ANN401 - any JSON
        """Return a variable of a process instance's own scope; None where it is not there, or is cut off."""
        filters = {"processInstanceKey": str(instance), "scopeKey": str(instance), "name": name}
        pages = self._rest.pages(
            "/v2/variables/search", _Variable, filters, ["variableKey"], query="?truncateValues=false"
        )
        found = [variable async for page in pages for variable in page]
        try:
            return json.loads(found[0].value)
        except (IndexError, ValueError):
            return None

    async def elements(self, instance: int) -> list[ElementInstance]:
        """Return the elements that an instance went through, in the order of their start; not the instance itself."""
        pages = self._rest.pages(
            "/v2/element-instances/search",
            ElementInstance,
            {"processInstanceKey": str(instance)},
            ["elementInstanceKey"],  # Keys of one instance are given in the order of time.
        )
        # The API has a type for the process itself. As an element it would always be active, and could be terminated.
        return [each async for page in pages for each in page if each.key != instance and each.type != "PROCESS"]

    async def element(self, key: int) -> ElementInstance | None:
        """Return one element; None where the cluster does not show it, or not yet."""
        return await self._rest.item(f"/v2/element-instances/{key}", ElementInstance)

    def incidents(
        self, *, state: str | None = "ACTIVE", type_: str | None = None, instance: int | None = None
    ) -> AsyncIterator[list[IncidentItem]]:
        """Yield incidents, the oldest first, page by page.

        Args:
            state: Only those in this state; None for any. ACTIVE is open.
            type_: Only those of this type, as JOB_NO_RETRIES.
            instance: Only those of this process instance.
        """
        wanted = {"state": state, "errorType": type_, "processInstanceKey": None if instance is None else str(instance)}
        filters = {name: value for name, value in wanted.items() if value is not None}
        return self._rest.pages("/v2/incidents/search", IncidentItem, filters, ["creationTime", "incidentKey"])

    async def incident(self, key: int) -> IncidentItem | None:
        """Return an incident, open or not; None where the cluster does not show it, or not yet."""
        return await self._rest.item(f"/v2/incidents/{key}", IncidentItem)

    async def pending_incidents(self) -> int:
        """Return how many incidents the cluster is still taking in."""
        return await self._rest.count("/v2/incidents/search", {"state": "PENDING"})

    async def definition(self, key: int) -> ProcessDefinition:
        """Return a version of a process.

        Raises:
            Failure: The cluster does not answer, or does not show it any more.
        """
        found = await self._rest.item(f"/v2/process-definitions/{key}", ProcessDefinition)
        if found is None:
            raise _no_definition(key)
        return found

    async def diagram(self, definition: int) -> str:
        """Return the BPMN of a version of a process.

        Raises:
            Failure: The cluster does not answer, or does not show it any more.
        """
        response = await self._rest.get(f"/v2/process-definitions/{definition}/xml")
        if response is None:
            raise _no_definition(definition)
        return response.text

    async def path(self, instance: int, wait: float = 60.0) -> list[ElementInstance]:
        """Return the elements of an ended instance in the order of their start.

        Args:
            instance: The process instance's key.
            wait: Seconds to wait until the cluster shows the instance as ended.

        Raises:
            Failure: The cluster does not show it as ended in time.
        """
        end = time.monotonic() + wait
        for pause in search_delays(_PAUSE):
            elements = await self.elements(instance)
            shown = await self.get(instance)
            if shown is not None and shown.has_ended and _is_whole(elements):
                return elements
            if time.monotonic() > end:
                break
            await asyncio.sleep(pause)
        message = f"The cluster does not show instance {instance} as ended after {wait:g} seconds."
        raise Failure(message)


def search_delays(cap: float) -> ExponentialBackoff:
    """Return the seconds between two searches for the same thing: a short delay first, `cap` at most."""
    return ExponentialBackoff(base=_FIRST_PAUSE, cap=cap)


def _no_definition(key: int) -> Failure:
    return Failure(f"The cluster does not show the process definition {key}.")


def _is_whole(elements: list[ElementInstance]) -> bool:
    """Tell whether all that happened is there: a cluster may show an instance's end before its last elements."""
    return all(each.state != "ACTIVE" for each in elements) and any(each.type == "END_EVENT" for each in elements)
