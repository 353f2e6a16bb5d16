"""Each service keeps its OpenAPI document, whatever it is sent: no 5xx, no status and no body that is not in there."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.participant.auth import callers_of
from services.participant.server import router_of
from tests.amount import bounded
from tests.services.conftest import OwnDatabase
from tests.services.test_server import started, until_ready
from tests.stack import free_port

_TOKEN = "one-for-all"  # noqa: S105 - schemathesis sends one header to all operations
_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
_SECONDS = 300


def _environment(name: str) -> dict[str, str]:
    return {f"TOKEN_{each.replace('-', '_').upper()}": _TOKEN for each in callers_of(router_of(name))}


@pytest.fixture
def processor(own_database: OwnDatabase) -> Iterator[str]:
    port = free_port()
    with started(
        "card_processor", DATABASE_URL=own_database.url, PORT=str(port), **_environment("card_processor")
    ) as process:
        until_ready(port)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.mark.proof
@pytest.mark.parametrize("name", ["orders", "inventory", "payment", "shipping"])
async def test_a_service_answers_all_that_it_is_sent_as_its_document_says(
    own_database: OwnDatabase, processor: str, name: str, tmp_path: Path
) -> None:
    port = free_port()
    own = {"DATABASE_URL": own_database.url, "PORT": str(port), "RATE_LIMIT": "1000000", **_environment(name)}
    rows = f"SELECT count(*) FROM {name}.barrier WHERE op = 'do'"  # noqa: S608 - our name
    before = await own_database.admin.fetchval(rows)
    with ExitStack() as stack:
        stack.enter_context(started(name, CARD_PROCESSOR_URL=processor, TOKEN_CARD_PROCESSOR=_TOKEN, **own))
        await asyncio.to_thread(until_ready, port)
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{port}/openapi.json"),
            *("--phases", "examples,coverage,fuzzing,stateful", "--mode", "all", "--checks", _CHECKS),
            *(
                "--header",
                f"Authorization: Bearer {_TOKEN}",
                "--max-examples",
                str(bounded(60, 1)),
                "--no-color",
                "--no-shrink",
            ),
            *("--exclude-path-regex", "^/(live|ready)$"),
            cwd=tmp_path,
            env={"PATH": "", "SCHEMATHESIS_HOOKS": "tests.services.contract_hooks", "PYTHONPATH": str(_ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(_SECONDS):
            output, _ = await run.communicate()
    text = output.decode()
    print(text)  # noqa: T201 - the seed, and what was tried
    assert run.returncode == 0, text
    assert "Stateful" in text
    assert await own_database.admin.fetchval(rows) > before, "commands came past the barrier"


_ROOT = Path(__file__).resolve().parents[2]
