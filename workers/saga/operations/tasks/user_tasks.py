"""The cluster's user tasks, through its REST API (v2, Camunda 8.8 to 8.10)."""

import json
from datetime import datetime
from types import TracebackType
from typing import Self

import httpx
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from saga.clients.addresses import Addresses
from saga.clients.failure import Failure, bad_input
from saga.clients.rest import RestClient
from saga.operations.tasks.forms import Form, Json

_OPEN = "CREATED"
"""The state of a task that waits for somebody, assigned or not."""
_LOST = "`saga tasks` lists the open ones."


class _Item(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class UserTask(_Item):
    """One user task."""

    key: int = Field(validation_alias=AliasChoices("userTaskKey", "key"))
    name: str | None = None
    element_id: str
    state: str
    assignee: str | None = None
    candidate_groups: tuple[str, ...] = ()
    candidate_users: tuple[str, ...] = ()
    creation_date: datetime
    due_date: datetime | None = None
    external_form_reference: str | None = None
    process_name: str | None = None
    process_id: str = Field(validation_alias="processDefinitionId")
    process_version: int = Field(validation_alias="processDefinitionVersion")
    process_instance_key: int
    element_instance_key: int

    @property
    def title(self) -> str:
        """What a person calls it."""
        return self.name or self.element_id

    @property
    def process(self) -> str:
        """What a person calls its process."""
        return self.process_name or self.process_id


class _FormItem(_Item):
    json_schema: str = Field(validation_alias="schema")


class _VariableItem(_Item):
    key: int = Field(validation_alias="variableKey")
    name: str
    value: str
    """JSON."""
    scope_key: int
    is_truncated: bool = False


class UserTasks:
    """Lists, claims and completes user tasks."""

    def __init__(self, rest: RestClient) -> None:
        """Ask by `rest`."""
        self._rest = rest

    @classmethod
    def at(cls, addresses: Addresses) -> Self:
        """Ask the cluster of `addresses`.

        Raises:
            Failure: Nothing says where its REST API is.
        """
        if addresses.rest is None:
            message = "CAMUNDA_REST_ADDRESS is not set, and user tasks are in the cluster's REST API only. Set it."
            raise bad_input(message)
        return cls(RestClient(addresses.rest))

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._rest.close()

    # Every call raises Failure where the cluster does not answer, or refuses.

    async def open(self) -> list[UserTask]:
        """Return the tasks that wait for somebody, the oldest first."""
        pages = self._rest.pages("/v2/user-tasks/search", UserTask, {"state": _OPEN}, ["creationDate"])
        return [task async for page in pages for task in page]

    async def get(self, key: int) -> UserTask:
        """Return an open task.

        Raises:
            Failure: There is none of that key, or it is not open any more.
        """
        task = await self._rest.item(f"/v2/user-tasks/{key}", UserTask)
        if task is None:
            message = f"There is no user task with the key {key}, or none is shown yet. {_LOST}"
            raise bad_input(message)
        if task.state != _OPEN:
            message = f"The user task {key} is not open: it is {task.state}. {_LOST}"
            raise bad_input(message)
        return task

    async def form(self, task: UserTask) -> Form | None:
        """Return the task's form; None where the cluster has none for it."""
        response = await self._rest.get(f"/v2/user-tasks/{task.key}/form")
        if response is None or response.status_code == httpx.codes.NO_CONTENT:
            return None
        try:
            item = _FormItem.model_validate_json(response.content)
        except ValidationError:
            message = f"The cluster answers with something that is not a form, for the user task {task.key}."
            raise Failure(message) from None
        return Form.parse(item.json_schema)

    async def variables(self, task: UserTask) -> dict[str, Json]:
        """Return the variables that the task sees, by name."""
        path = f"/v2/user-tasks/{task.key}/variables/search"
        nearest: dict[str, _VariableItem] = {}
        async for page in self._rest.pages(path, _VariableItem, {}, ["name"]):
            for variable in page:
                # An inner scope begins after those around it, so its key is the greater one.
                known = nearest.get(variable.name)
                if known is None or known.scope_key < variable.scope_key:
                    nearest[variable.name] = variable
        return {name: await self._value(variable) for name, variable in nearest.items()}

    async def claim(self, task: UserTask, name: str) -> None:
        """Assign an open task to somebody.

        Raises:
            Failure: It is assigned to somebody else, or not open any more.
        """
        body = {"assignee": name, "allowOverride": task.assignee == name}
        status = await self._rest.command(f"/v2/user-tasks/{task.key}/assignment", body)
        if status == httpx.codes.CONFLICT:
            whose = task.assignee or "somebody, since a moment ago"
            message = f"The user task {task.key} is assigned to {whose}. Whoever answers it need not be its assignee."
            raise Failure(message)
        _check(task, status, "an assignee of this name")

    async def complete(self, task: UserTask, variables: dict[str, Json]) -> None:
        """Complete an open task with these variables.

        Raises:
            Failure: It is not open any more, or not to be completed right now.
        """
        status = await self._rest.command(f"/v2/user-tasks/{task.key}/completion", {"variables": variables})
        if status == httpx.codes.CONFLICT:
            message = f"The user task {task.key} is being changed by somebody else. Look at it again, then answer it."
            raise Failure(message)
        _check(task, status, "these variables")

    async def _value(self, variable: _VariableItem) -> Json:
        text = variable.value
        if variable.is_truncated:
            whole = await self._rest.item(f"/v2/variables/{variable.key}", _VariableItem)
            text = whole.value if whole is not None else text
        try:
            return json.loads(text)
        except ValueError:
            message = f"The cluster answers with something that is not JSON, for the variable {variable.name}."
            raise Failure(message) from None


def _check(task: UserTask, status: int, sent: str) -> None:
    if status == httpx.codes.NOT_FOUND:
        message = (
            f"The user task {task.key} is not open any more: somebody answered it, or its process went on. {_LOST}"
        )
        raise Failure(message)
    if status == httpx.codes.BAD_REQUEST:
        message = f"The cluster does not take {sent} for the user task {task.key}. Nothing was changed."
        raise Failure(message)
