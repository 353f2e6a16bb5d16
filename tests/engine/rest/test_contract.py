"""REST keeps its OpenAPI document, whatever it is sent: no 5xx, no status and no body that is not in there."""

import asyncio
import json
import sys
from pathlib import Path

import httpx
import pytest

from tests.amount import bounded
from tests.engine.core.conftest import replay
from tests.engine.core.invariants import check
from tests.engine.process import EngineProcess, running
from tests.engine.rest import diagrams
from tests.stack import ROOT

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
SECONDS = 900


@pytest.mark.proof
async def test_rest_answers_all_that_it_is_sent_as_its_document_says(tmp_path: Path) -> None:
    async with running("--clock", "controlled", data=tmp_path / "data") as engine:
        keys = await filled(engine)
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", f"http://{engine.rest}/openapi.json"),
            *("--phases", bounded("coverage,fuzzing", "fuzzing"), "--mode", "all", "--checks", CHECKS),
            # It is answered 501, which is what another test is about.
            *("--exclude-path", "/v2/signals/broadcast"),
            *("--max-examples", str(bounded(60, 3)), "--no-color", "--no-shrink", "--request-timeout", "20"),
            cwd=tmp_path,
            env={
                "PATH": "",
                "SCHEMATHESIS_HOOKS": "tests.engine.rest.contract_hooks",
                "PYTHONPATH": str(ROOT),
                "ENGINE_KEYS": json.dumps(keys),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(SECONDS):
            output, _ = await run.communicate()
        text = output.decode()
        print(text)  # noqa: T201 - the seed, and what was tried
        assert run.returncode == 0, text
        assert await engine.stop() == 0
        log = engine.records()
    assert {record.rejection_type for record in log}.isdisjoint({"PROCESSING_ERROR"})
    check(replay(log).state)


async def filled(engine: EngineProcess) -> dict[str, list[str]]:
    """Let the engine have something of each kind, and return its keys by the names of paths' parameters."""
    async with httpx.AsyncClient(base_url=f"http://{engine.rest}/v2") as client:

        async def post(path: str, body: object) -> dict[str, list[dict[str, str]]]:
            response = await client.post(path, json=body)
            found: dict[str, list[dict[str, str]]] = response.raise_for_status().json()
            return found

        parts = [("resources", (name, content, "application/octet-stream")) for name, content in diagrams.FILES]
        (await client.post("/deployments", files=parts)).raise_for_status()
        for process in ("order", "ask", "cancelable", "interruptible", "loop"):
            for _ in range(3):
                await post(
                    "/process-instances", {"processDefinitionId": process, "variables": {"orderId": "1", "items": [1]}}
                )
        jobs = (await post("/jobs/activation", {"type": "pay", "timeout": 1000, "maxJobsToActivate": 2}))["jobs"]
        failed = {"retries": 0, "errorMessage": "boom"}
        (await client.post(f"/jobs/{jobs[0]['jobKey']}/failure", json=failed)).raise_for_status()
        things = {
            "process-definitions": "processDefinitionKey",
            "process-instances": "processInstanceKey",
            "element-instances": "elementInstanceKey",
            "variables": "variableKey",
            "incidents": "incidentKey",
            "jobs": "jobKey",
            "user-tasks": "userTaskKey",
        }
        found = {
            key: [each[key] for each in (await post(f"/{path}/search", {}))["items"]] for path, key in things.items()
        }
    assert all(found.values()), found
    return {**found, "resourceKey": found["processDefinitionKey"]}
