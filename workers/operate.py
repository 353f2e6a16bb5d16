"""What Operate knows of an instance, through its REST API (Camunda 8.6, `/v1`)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, SettingsConfigDict

from workers.environment import read
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
    incident_key: int | None = None
    """The incident at which it stands now."""

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


class _Found(BaseModel):
    """What a search found: a page of it."""

    model_config = ConfigDict(alias_generator=to_camel)

    items: list[dict[str, Any]]
    total: int
    sort_values: list[Any] = []


class OperateLogin(BaseSettings):
    """With what Operate lets us in: its own users, the first of which Camunda gives it."""

    model_config = SettingsConfigDict(env_prefix="CAMUNDA_OPERATE_", extra="ignore", env_ignore_empty=True)

    username: str = "demo"
    password: SecretStr = SecretStr("demo")


class Operate:
    """A session with Operate; enter it to log in, or let the first question do that."""

    def __init__(self, base_url: str) -> None:
        """`base_url` is that of the web page, with or without `/operate` behind it."""
        self._http = httpx.AsyncClient(base_url=base_url.removesuffix("/operate"), timeout=10.0)
        login = read(OperateLogin)
        self._login = {"username": login.username, "password": login.password.get_secret_value()}

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
            if await self.find("process-instances", key=key, state="ACTIVE"):
                return True
        return False

    async def _with_variable(self, variable: str, value: str) -> list[dict[str, Any]]:
        found = await self.find("variables", name=variable, value=json.dumps(value))
        if len(found) >= _PAGE:
            message = f"Operate knows {_PAGE} instances of it or more, too many to look at."
            raise Failure(message)
        return found

    async def variable(self, instance: int, name: str) -> Any:  # noqa: ANN401 - any JSON
        """Return a variable of a process instance's own scope; None where it is not there, or too long for Operate."""
        found = await self.find("variables", processInstanceKey=instance, scopeKey=instance, name=name)
        return json.loads(found[0]["value"]) if found and not found[0].get("truncated") else None

    async def instance(self, key: int) -> ProcessInstance | None:
        """Return a process instance; None where Operate does not know it, or not yet."""
        found = await self.find("process-instances", key=key)
        return ProcessInstance.model_validate(found[0]) if found else None

    async def flow_nodes(self, instance: int, **filters: str | int) -> list[FlowNode]:
        """Return the elements that an instance went through, in the order of their start."""
        nodes: list[FlowNode] = []
        # Keys of one instance are given in the order of time.
        async for page in self.pages("flownode-instances", "key", processInstanceKey=instance, **filters):
            # Of an incident Operate may hear before it hears of its element, which is nothing but its keys until then.
            nodes += [FlowNode.model_validate(item) for item in page if "state" in item]
        return nodes

    async def diagram(self, definition: int) -> str:
        """Return the BPMN of a process definition.

        Raises:
            Failure: Operate does not answer, or has it no more.
        """
        return (await self._ask("GET", f"/v1/process-definitions/{definition}/xml")).text

    async def pages(self, what: str, sort: str, **filters: str | int) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield all that a search for `what` finds, page by page in the order of the field `sort`; a page may be empty.

        What changes meanwhile is seen or not, and nothing is seen twice.

        Raises:
            Failure: Operate does not answer.
        """
        query = _query(sort, filters)
        while True:
            answer = await self._search(what, query)
            yield answer.items
            if len(answer.items) < _PAGE:
                return
            query["searchAfter"] = answer.sort_values

    async def find(self, what: str, **filters: str | int) -> list[dict[str, Any]]:
        """Return what a search for `what` finds, by its key; 500 at most.

        Raises:
            Failure: Operate does not answer.
        """
        return (await self._search(what, _query("key", filters))).items

    async def count(self, what: str, **filters: str | int) -> int:
        """Return how many a search for `what` would find.

        Raises:
            Failure: Operate does not answer.
        """
        return (await self._search(what, {"filter": filters, "size": 1})).total

    async def log_in(self) -> None:
        """Log in.

        Raises:
            Failure: Operate is not there or refuses the login.
        """
        try:
            (await self._http.post("/api/login", data=self._login)).raise_for_status()
        except httpx.HTTPStatusError as error:
            message = (
                f"Operate at {self._http.base_url} refuses the login ({error.response.status_code}): "
                "CAMUNDA_OPERATE_USERNAME and CAMUNDA_OPERATE_PASSWORD say with what."
            )
            raise Failure(message) from None
        except httpx.HTTPError as error:
            message = f"Operate at {self._http.base_url} cannot be logged in to: {type(error).__name__}."
            raise Failure(message) from error

    async def _search(self, what: str, query: object) -> _Found:
        answer = await self._ask("POST", f"/v1/{what}/search", query)
        try:
            return _Found.model_validate_json(answer.content)
        except ValidationError:
            message = f"Operate at {self._http.base_url} answers with what is no list of {what}."
            raise Failure(message) from None

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


def _query(sort: str, filters: dict[str, str | int]) -> dict[str, object]:
    return {"filter": filters, "size": _PAGE, "sort": [{"field": sort, "order": "ASC"}]}


def _is_whole(nodes: list[FlowNode]) -> bool:
    """Tell whether all that happened is there: Operate may show an instance's end before its last elements."""
    return all(node.state != "ACTIVE" for node in nodes) and any(node.type == "END_EVENT" for node in nodes)
