"""What Operate knows of an instance, through its REST API (Camunda 8.6, `/v1`)."""

import asyncio
import json
import time
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from workers.failure import Failure

_PAUSE = 0.25
"""Seconds between two looks; Operate learns of an event about a second after the broker."""

_PAGE = 500
"""What one search finds at most."""


class FlowNode(BaseModel):
    """One element that the instance went through."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")

    key: int
    flow_node_id: str
    flow_node_name: str | None = None
    type: str
    state: str
    incident: bool = False

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.flow_node_name or self.flow_node_id


class ProcessInstance(BaseModel):
    """One process instance."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")

    key: int
    bpmn_process_id: str
    process_definition_key: int
    state: str
    """ACTIVE, COMPLETED or CANCELED."""
    start_date: datetime


class Operate:
    """A session with Operate; enter it to log in, or let the first question do that."""

    def __init__(self, base_url: str, user: str = "demo", password: str = "demo") -> None:  # noqa: S107 - Camunda's own
        """`base_url` is that of the web page, with or without `/operate` behind it."""
        self._http = httpx.AsyncClient(base_url=base_url.removesuffix("/operate"), timeout=10.0)
        self._login = {"username": user, "password": password}

    async def __aenter__(self) -> Self:
        """Log in.

        Raises:
            Failure: Operate is not there or refuses the login.
        """
        try:
            await self.log_in()
        except Failure:
            await self._http.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the session."""
        await self.close()

    async def close(self) -> None:
        """Close the session."""
        await self._http.aclose()

    async def path(self, instance: int, wait: float = 60.0) -> list[FlowNode]:
        """Return the elements of an ended instance in the order of their start.

        Args:
            instance: The process instance's key.
            wait: Seconds to wait until Operate shows the instance as ended.

        Raises:
            Failure: Operate does not show it as ended in time.
        """
        end = time.monotonic() + wait
        while True:
            nodes = await self.flow_nodes(instance)
            shown = await self.instance(instance)
            if shown is not None and shown.state != "ACTIVE" and _is_whole(nodes):
                return nodes
            if time.monotonic() > end:
                message = f"Operate does not show instance {instance} as ended after {wait:g} seconds."
                raise Failure(message)
            await asyncio.sleep(_PAUSE)

    async def instances(self, variable: str, value: str) -> list[int]:
        """Return the keys of the process instances whose `variable` is the text `value`, oldest first.

        Raises:
            Failure: Operate does not answer, or knows more of them than it tells at once.
        """
        return sorted({item["processInstanceKey"] for item in await self._with_variable(variable, value)})

    async def has_active(self, variable: str, value: str) -> bool:
        """Tell whether a process instance that has not ended has the text `value` as its `variable`.

        Raises:
            Failure: Operate does not answer, or knows more of them than it tells at once.
        """
        for key in await self.instances(variable, value):
            query = {"filter": {"key": key, "state": "ACTIVE"}}
            if (await self._search("/v1/process-instances/search", query))["items"]:
                return True
        return False

    async def _with_variable(self, variable: str, value: str) -> list[dict[str, Any]]:
        query = {"filter": {"name": variable, "value": json.dumps(value)}, "size": _PAGE}
        found: list[dict[str, Any]] = (await self._search("/v1/variables/search", query))["items"]
        if len(found) >= _PAGE:
            message = f"Operate knows {_PAGE} instances of it or more, too many to look at."
            raise Failure(message)
        return found

    async def variable(self, instance: int, name: str) -> Any:  # noqa: ANN401 - any JSON
        """Return a variable of a process instance's own scope; None where it is not there, or too long for Operate."""
        query = {"filter": {"processInstanceKey": instance, "scopeKey": instance, "name": name}}
        found = (await self._search("/v1/variables/search", query))["items"]
        return json.loads(found[0]["value"]) if found and not found[0].get("truncated") else None

    async def incidents(self, instance: int) -> list[str]:
        """Return what the incidents say that an instance has now."""
        query = {"filter": {"processInstanceKey": instance, "state": "ACTIVE"}, "size": _PAGE}
        return [str(item["message"]) for item in (await self._search("/v1/incidents/search", query))["items"]]

    async def diagram(self, process_definition: int) -> str:
        """Return the BPMN document that a process definition was deployed from."""
        return (await self._ask("GET", f"/v1/process-definitions/{process_definition}/xml")).text

    async def instance(self, key: int) -> ProcessInstance | None:
        """Return a process instance; None where Operate does not know it, or not yet."""
        found = (await self._search("/v1/process-instances/search", {"filter": {"key": key}}))["items"]
        return ProcessInstance.model_validate(found[0]) if found else None

    async def flow_nodes(self, instance: int) -> list[FlowNode]:
        """Return the elements that an instance went through, in the order of their start."""
        query: dict[str, Any] = {
            "filter": {"processInstanceKey": instance},
            "size": _PAGE,
            "sort": [{"field": "key", "order": "ASC"}],  # keys of one instance are given in the order of time
        }
        nodes: list[FlowNode] = []
        while True:
            answer = await self._search("/v1/flownode-instances/search", query)
            # Of an incident Operate may hear before it hears of its element, which is nothing but its keys until then.
            nodes += [FlowNode.model_validate(item) for item in answer["items"] if "state" in item]
            if len(answer["items"]) < _PAGE:
                return nodes
            query["searchAfter"] = answer["sortValues"]

    async def log_in(self) -> None:
        """Log in.

        Raises:
            Failure: Operate is not there or refuses the login.
        """
        try:
            (await self._http.post("/api/login", params=self._login)).raise_for_status()
        except httpx.HTTPError as error:
            message = f"Operate at {self._http.base_url} cannot be logged in to: {type(error).__name__}."
            raise Failure(message) from error

    async def _search(self, path: str, query: object) -> dict[str, Any]:
        answer: dict[str, Any] = (await self._ask("POST", path, query)).json()
        return answer

    async def _ask(self, method: str, path: str, query: object = None) -> httpx.Response:
        try:
            response = await self._http.request(method, path, json=query)
            if response.status_code == httpx.codes.UNAUTHORIZED:
                # Operate keeps its sessions in memory: a restart ends them.
                await self.log_in()
                response = await self._http.request(method, path, json=query)
            return response.raise_for_status()
        except httpx.HTTPError as error:
            message = f"Operate at {self._http.base_url} does not answer: {type(error).__name__}."
            raise Failure(message) from error


def _is_whole(nodes: list[FlowNode]) -> bool:
    """Tell whether all that happened is there: Operate may show an instance's end before its last elements."""
    return all(node.state != "ACTIVE" for node in nodes) and any(node.type == "END_EVENT" for node in nodes)
