"""What a person is asked, and their answer, through the v2 API's user tasks; what `saga tasks` shows of them, it tests.

Any application for user tasks sends these requests.
"""

from typing import Any

import httpx

from saga.clients.instances import Instances
from saga.operations.reconcile.manual_tasks import PROCESS
from tests.world import eventually


class UserTasks:
    """The questions about effects at one cluster."""

    def __init__(self, rest: str, instances: Instances) -> None:
        """`rest` is the base URL of its REST API."""
        self._rest = rest
        self._instances = instances

    async def open(self, order_id: str, participant: str) -> list[dict[str, Any]]:
        """Return the tasks that wait for somebody to decide about what a participant did for an order."""
        asked = await self._instances.with_variable("orderId", order_id, process=PROCESS)
        keys = [each.key for each in asked if await self._instances.variable(each.key, "participant") == participant]
        return [task for key in keys for task in await self._created(key)]

    async def answer(self, order_id: str, participant: str, decision: str, comment: str = "") -> int:
        """Take a task and complete it with a decision; return the key of its process instance."""
        [task] = await eventually(lambda: self.open(order_id, participant), bool)
        path = f"/v2/user-tasks/{task['userTaskKey']}"
        await self._post(f"{path}/assignment", {"assignee": "somebody"})
        await self._post(f"{path}/completion", {"variables": {"decision": decision, "comment": comment}})
        return int(task["processInstanceKey"])

    async def _created(self, instance: int) -> list[dict[str, Any]]:
        filters = {"state": "CREATED", "processInstanceKey": str(instance)}
        found = await self._post("/v2/user-tasks/search", {"filter": filters})
        items: list[dict[str, Any]] = found.json()["items"]
        return items

    async def _post(self, path: str, body: object) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self._rest, timeout=30.0) as http:
            return (await http.post(path, json=body)).raise_for_status()
