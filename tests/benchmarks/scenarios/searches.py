"""What searches take, and what an instance takes of memory, while very many instances are alive."""

import statistics
import time
from collections.abc import Mapping
from typing import Any, TypeAlias

import httpx

from tests.benchmarks.bars import INSTANCE_MEMORY, SEARCHES
from tests.benchmarks.bench import Bench
from tests.benchmarks.load import ONE

Search: TypeAlias = tuple[str, dict[str, Any]]
"""What is searched, and the body of the request."""

_ASKED = 40
"""Times that each search is asked in a round."""
_NEEDLE = "4712"
"""The order of one instance; all others have the same."""
_TYPE = "searches"


async def searches(bench: Bench) -> None:
    """Start the instances, of which nobody does the jobs; then ask five searches in turn, one request at a time."""
    instances = bench.plan.searched
    before = bench.engine.memory()
    await bench.load.create(_TYPE, instances - 1)
    await bench.load.create(_TYPE, 1, order=_NEEDLE)
    await bench.engine.quiet()
    used = 1024 * (bench.engine.memory() - before) / instances
    bench.samples.ratio(INSTANCE_MEMORY, used)
    async with httpx.AsyncClient(base_url=bench.engine.rest, trust_env=False, timeout=60.0) as http:
        asked = await _searches(http, instances)
        for _ in range(bench.plan.repetitions):
            slow = {name: await _p95(http, *search) for name, search in asked.items()}
            for name, milliseconds in slow.items():
                bench.samples.figure(f"search of {instances:,} instances: {name}", "ms, p95", milliseconds)
            bench.samples.ratio(SEARCHES, max(slow.values()))


async def _searches(http: httpx.AsyncClient, instances: int) -> Mapping[str, Search]:
    """Return path and body of each search by its name; the first looks for what the others need."""
    needle: Search = ("variables", {"filter": {"name": "order", "value": f'"{_NEEDLE}"'}})
    [found] = (await _ask(http, *needle))["items"]
    key: dict[str, Any] = {"filter": {"processInstanceKey": found["processInstanceKey"]}}
    count: Search = ("process-instances", {"page": {"limit": 1}})
    page = (await _ask(http, *count))["page"]
    assert page["totalItems"] >= instances or page["hasMoreTotalItems"]
    newest = {
        "filter": {"processDefinitionId": ONE, "state": "ACTIVE"},
        "sort": [{"field": "processInstanceKey", "order": "DESC"}],
        "page": {"limit": 100},
    }
    return {
        "one by its key": ("process-instances", key),
        "the 100 newest that are active": ("process-instances", newest),
        "by a variable's value": needle,
        "the elements of one": ("element-instances", key),
        "how many there are": count,
    }


async def _p95(http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> float:
    """Return what a search takes in milliseconds, of 95 in 100 at most."""
    took = []
    for _ in range(_ASKED):
        begun = time.perf_counter()
        await _ask(http, path, body)
        took.append(1000 * (time.perf_counter() - begun))
    return statistics.quantiles(took, n=20)[-1]


async def _ask(http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await http.post(f"/v2/{path}/search", json=body)).raise_for_status().json()
    assert found["items"], path
    return found
