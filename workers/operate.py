"""What Operate knows of an instance, through its REST API (Camunda 8.6, `/v1`)."""

import asyncio
import json
import time
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

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")

    key: int
    flow_node_id: str
    flow_node_name: str | None = None
    type: str
    state: str

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.flow_node_name or self.flow_node_id


class Operate:
    """A session with Operate; enter it to log in."""

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
            await self._log_in()
        except Failure:
            await self._http.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
            if await self.state(instance) not in {None, "ACTIVE"} and _is_whole(nodes):
                return nodes
            if time.monotonic() > end:
                message = f"Operate does not show instance {instance} as ended after {wait:g} seconds."
                raise Failure(message)
            await asyncio.sleep(_PAUSE)

    async def instances(self, variable: str, value: str) -> list[int]:
        """Return the keys of the process instances whose `variable` is the text `value`, oldest first."""
        return sorted({item["processInstanceKey"] for item in await self._with_variable(variable, value)})

    async def has_active(self, variable: str, value: str) -> bool:
        """Tell whether a process instance that has not ended has the text `value` as its `variable`.

        Raises:
            Failure: Operate does not answer, or knows more of them than it tells at once.
        """
        found = await self._with_variable(variable, value)
        if len(found) >= _PAGE:
            message = f"Operate knows {_PAGE} instances of it or more, too many to look at."
            raise Failure(message)
        for key in {item["processInstanceKey"] for item in found}:
            query = {"filter": {"key": key, "state": "ACTIVE"}}
            if (await self._search("/v1/process-instances/search", query))["items"]:
                return True
        return False

    async def _with_variable(self, variable: str, value: str) -> list[dict[str, Any]]:
        query = {"filter": {"name": variable, "value": json.dumps(value)}, "size": _PAGE}
        found: list[dict[str, Any]] = (await self._search("/v1/variables/search", query))["items"]
        return found

    async def state(self, instance: int) -> str | None:
        """Return ACTIVE, COMPLETED or CANCELED; None where Operate does not know the instance, or not yet."""
        query = {"filter": {"key": instance}}
        found = (await self._search("/v1/process-instances/search", query))["items"]
        return found[0]["state"] if found else None

    async def flow_nodes(self, instance: int) -> list[FlowNode]:
        """Return the elements that an instance went through, in the order of their start; at most 500."""
        query = {
            "filter": {"processInstanceKey": instance},
            "size": _PAGE,
            "sort": [{"field": "key", "order": "ASC"}],  # keys of one instance are given in the order of time
        }
        answer = await self._search("/v1/flownode-instances/search", query)
        return [FlowNode.model_validate(item) for item in answer["items"]]

    async def _log_in(self) -> None:
        try:
            (await self._http.post("/api/login", params=self._login)).raise_for_status()
        except httpx.HTTPError as error:
            message = f"Operate at {self._http.base_url} cannot be logged in to: {type(error).__name__}."
            raise Failure(message) from error

    async def _search(self, path: str, query: object) -> dict[str, Any]:
        try:
            response = await self._http.post(path, json=query)
            if response.status_code == httpx.codes.UNAUTHORIZED:
                # Operate keeps its sessions in memory: a restart ends them.
                await self._log_in()
                response = await self._http.post(path, json=query)
            answer: dict[str, Any] = response.raise_for_status().json()
        except httpx.HTTPError as error:
            message = f"Operate at {self._http.base_url} does not answer: {type(error).__name__}."
            raise Failure(message) from error
        return answer


def _is_whole(nodes: list[FlowNode]) -> bool:
    """Tell whether all that happened is there: Operate may show an instance's end before its last elements."""
    return all(node.state != "ACTIVE" for node in nodes) and any(node.type == "END_EVENT" for node in nodes)
