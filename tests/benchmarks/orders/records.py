"""What became of the instances, counted in the records that the engine exported to OpenSearch."""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import httpx
import stamina

_PAGE = 1000
_PATIENCE = 60.0
"""Seconds for which an OpenSearch is asked again that refuses for want of memory."""


def _is_busy(error: Exception) -> bool:
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code in {429, 503}


class Records:
    """The exported records; enter it to open its client. They trail the engine by a second or two."""

    def __init__(self, opensearch: str) -> None:
        """`opensearch` is the base URL."""
        self._http = httpx.AsyncClient(base_url=opensearch, trust_env=False, timeout=30.0)

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
        """Return how many records of a kind ("job") have an intent ("TIMED_OUT") and these values.

        A record that is exported again after a crash is the same document, and counts once.
        """
        terms = [{"term": {"intent": intent}}, *({"term": {f"value.{name}": value}} for name, value in values.items())]
        answer = await self._ask(f"/zeebe-record_{kind}_*/_count", {"query": {"bool": {"filter": terms}}})
        return int(answer["count"])

    async def find(self, kind: str, *filters: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Yield the values of all records of a kind that OpenSearch's `filters` let pass, in the engine's order."""
        query: dict[str, Any] = {
            "query": {"bool": {"filter": filters}},
            "sort": ["partitionId", "position"],
            "size": _PAGE,
        }
        found: list[dict[str, Any]] | None = None
        while found is None or len(found) == _PAGE:
            after = {"search_after": found[-1]["sort"]} if found else {}
            answer = await self._ask(f"/zeebe-record_{kind}_*/_search", {**query, **after})
            found = answer["hits"]["hits"]
            for record in found:
                yield record["_source"]["value"]

    @stamina.retry(on=_is_busy, attempts=None, timeout=_PATIENCE)
    async def _ask(self, path: str, query: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = (await self._http.post(path, json=query)).raise_for_status().json()
        return answer
