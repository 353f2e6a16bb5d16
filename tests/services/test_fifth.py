"""A fifth participant, as docs/extending.md shows it: one folder, and all that a participant is follows by itself."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.services.participant import bearer, code, key, token
from tests.services.postgres import Admin, Postgres
from tests.services.test_server import ROOT, until_ready
from tests.stack import free_port

_EXAMPLE = re.compile(r"<!-- example: (services/\S+) -->\n```python\n(.*?)```", re.DOTALL)
FILES = dict(_EXAMPLE.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8")))
CALLERS = ("wrap-gift", "unwrap-gift", "read", "purge-sagas", "reconcile")


def written(folder: Path) -> None:
    for name, content in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


@pytest.fixture
async def gifts(tmp_path: Path, postgres: Postgres) -> AsyncIterator[httpx.AsyncClient]:
    shutil.copytree(ROOT / "services", tmp_path / "services", ignore=shutil.ignore_patterns("__pycache__"))
    written(tmp_path)
    port = free_port()
    environment = {"DATABASE_URL": postgres.url(), "PORT": str(port), "PYTHONPATH": str(tmp_path)}
    tokens = {f"TOKEN_{caller.replace('-', '_').upper()}": token(caller) for caller in CALLERS}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from services.participant.server import serve; serve('gifts')"),
        cwd=tmp_path,
        env={**environment, **tokens},
        stderr=asyncio.subprocess.DEVNULL,
    )
    await asyncio.to_thread(until_ready, port)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        yield http
    process.terminate()
    assert await process.wait() == 0


def test_it_takes_one_folder_and_under_ninety_lines() -> None:
    assert {str(Path(name).parts[1]) for name in FILES} == {"gifts"}
    assert sum(len(content.splitlines()) for content in FILES.values()) < 90


def test_it_passes_the_project_s_own_checks(tmp_path: Path) -> None:
    written(tmp_path)
    shutil.copy(ROOT / "services" / "__init__.py", tmp_path / "services")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for command in (("check",), ("format", "--check")):
        done = subprocess.run(
            [Path(sys.executable).with_name("ruff"), *command, "services"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


async def test_it_has_one_effect_answers_alike_and_is_undone(
    gifts: httpx.AsyncClient, admin: Admin, order_id: str
) -> None:
    url, paper = f"/wrappings/{order_id}", {"sheets": 3}
    own = {**key(url, "wrap-gift"), **bearer("wrap-gift")}
    first, second = [await gifts.put(url, json=paper, headers=own) for _ in range(2)]
    assert (first.status_code, first.content) == (second.status_code, second.content) == (200, b'{"colour":"red"}')
    sheets = "SELECT sheets FROM gifts.wrappings WHERE order_id = $1"
    assert [row["sheets"] for row in await admin.fetch(sheets, order_id)] == [3]
    assert code(await gifts.put(url, json={"sheets": 4}, headers=own)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert code(await gifts.put(url, json=paper, headers=key(url, "wrap-gift"))) == (401, "UNAUTHENTICATED")
    undone = await gifts.delete(url, headers={**key(url, "unwrap-gift"), **bearer("unwrap-gift")})
    assert undone.status_code == 200
    assert [row["sheets"] for row in await admin.fetch(sheets, order_id)] == [0]
    events = await admin.fetch("SELECT event ->> 'type' AS type FROM gifts.outbox ORDER BY position")
    assert [row["type"] for row in events] == ["saga.gifts.wrapping.done", "saga.gifts.wrapping.undone"]


async def test_its_refusal_is_told_apart(gifts: httpx.AsyncClient, order_id: str) -> None:
    url = f"/wrappings/{order_id}"
    refused = await gifts.put(url, json={"sheets": 11}, headers={**key(url, "wrap-gift"), **bearer("wrap-gift")})
    assert code(refused) == (409, "NO_PAPER")
