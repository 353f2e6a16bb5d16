"""What became of the instances, counted in the records that the embedded engine serves at its management port."""

import json
from collections.abc import Collection
from types import TracebackType
from typing import Any, Self

import httpx

_KINDS = {"process-instance": "PROCESS_INSTANCE", "variable": "VARIABLE", "incident": "INCIDENT", "job": "JOB"}


class Records:
    """The engine's records; enter it to open its client. What was read once is kept, for the log only grows."""

    def __init__(self, management: str) -> None:
        """`management` is the base URL of the engine's management port."""
        self._http = httpx.AsyncClient(base_url=management, trust_env=False, timeout=60.0)
        self._read: list[dict[str, Any]] = []
        self._next = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def instances(self) -> tuple[int, int]:
        """Return how many instances began and how many of them have ended, in whatever way."""
        began = await self.count("process-instance", "ELEMENT_ACTIVATED", bpmnElementType="PROCESS")
        completed = await self.count("process-instance", "ELEMENT_COMPLETED", bpmnElementType="PROCESS")
        terminated = await self.count("process-instance", "ELEMENT_TERMINATED", bpmnElementType="PROCESS")
        return began, completed + terminated

    async def passed(self, element: str) -> int:
        """Return how many tokens completed an element, such as an end event."""
        return await self.count("process-instance", "ELEMENT_COMPLETED", elementId=element)

    async def count(self, kind: str, intent: str, **values: str) -> int:
        """Return how many records of a kind ("job") have an intent ("TIMED_OUT") and these values."""
        return len(await self.find(kind, [intent], **values))

    async def find(self, kind: str, intents: Collection[str], **values: str) -> list[dict[str, Any]]:
        """Return the values of all records of a kind with one of the intents and these values, in the log's order."""
        await self._read_on()
        return [
            record["value"]
            for record in self._read
            if record["valueType"] == _KINDS[kind]
            and record["intent"] in intents
            and all(record["value"].get(name) == value for name, value in values.items())
        ]

    async def _read_on(self) -> None:
        """Read the records since the last look; an answer without any is the log's end."""
        while lines := (await self._page()).splitlines():
            page = [json.loads(line) for line in lines]
            self._next = page[-1]["position"] + 1
            kinds = _KINDS.values()
            self._read += [each for each in page if each["recordType"] == "EVENT" and each["valueType"] in kinds]

    async def _page(self) -> str:
        answer = await self._http.get("/records", params={"from": self._next})
        return answer.raise_for_status().text
