"""A service's process: it starts with one command, says clearly why it cannot, and ends cleanly."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import services
from saga.common.http_server import listening
from tests.services.forked import ended, environment_of
from tests.services.participant import HOLD, ITEMS, bearer, key, token
from tests.services.postgres import PASSWORD, Postgres
from tests.stack import free_port

ROOT = Path(services.__file__).parents[1]
TIMEOUT = 60


@contextmanager
def started(name: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", f"from services.participant.server import serve; serve({name!r})"],
        cwd=ROOT,
        env=environment_of(name, environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream
            stream.close()


def until_ready(port: int) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not _is_ready(port):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _is_ready(port: int) -> bool:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/ready", timeout=TIMEOUT)
    except httpx.TransportError:
        return False
    # What it needs may be on its way still, as PostgreSQL is after a kill.
    return answer.status_code != httpx.codes.SERVICE_UNAVAILABLE and answer.raise_for_status().is_success


def test_a_service_starts_answers_and_ends_with_success_at_sigterm(
    postgres: Postgres, role_urls: dict[str, str], order_id: str
) -> None:
    port = free_port()
    with started("inventory", DATABASE_URL=postgres.url(), PORT=str(port)) as process:
        until_ready(port)
        url = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{url}/live").json() == {"status": "live"}
        path = f"/reservations/{order_id}"
        headers = key(path, "reserve-inventory") | bearer("reserve-inventory")
        answer = httpx.put(url + path, json=HOLD, headers=headers)
        assert answer.json()["items"] == ITEMS
        process.send_signal(signal.SIGTERM)
        output, log = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert output == ""
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["event"] for line in lines] == [
        "started",
        "events stay in the outbox: EVENTS_URL is not set",
        "command",
        "stopped",
    ]
    assert {line["service"] for line in lines} == {"inventory"}
    assert PASSWORD not in log
    assert token("reserve-inventory") not in log
    assert role_urls["inventory"] not in log


def test_a_services_own_url_overrides_provisioning_totally(role_urls: dict[str, str]) -> None:
    port = free_port()
    nowhere = "postgresql://postgres:secret@127.0.0.1:1/postgres"
    own = {"SHIPPING_DATABASE_URL": role_urls["shipping"], "DATABASE_URL": nowhere}
    with started("shipping", PORT=str(port), **own):
        until_ready(port)


def test_a_port_that_is_no_number_is_one_clear_message_and_a_failure() -> None:
    with started("orders", PORT="http") as process:
        output, log = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert "port Input should be a valid integer" in log
    assert (output, len(log.splitlines())) == ("", 1)


def test_an_address_that_is_no_url_is_one_clear_message_and_a_failure(postgres: Postgres) -> None:
    own = {"DATABASE_URL": postgres.url(), "CARD_PROCESSOR_URL": "card-processor:hunter2"}
    status, output, log = ended("payment", PORT="0", **own)
    assert status == 1
    assert "card_processor_url URL scheme should be 'http' or 'https'" in log.splitlines()[-1]
    assert "hunter2" not in log
    assert "Traceback" not in log
    assert output == ""


def test_a_caller_without_a_token_is_one_clear_message_that_says_where_it_belongs(tmp_path: Path) -> None:
    (tmp_path / "read").write_text("secret\n")
    (tmp_path / "reserve-inventory").write_text("\n")
    status, output, log = ended("inventory", DATABASE_URL="postgresql://postgres@127.0.0.1:1/x", TOKENS=str(tmp_path))
    assert status == 1
    for missing in ("release-inventory", "reserve-inventory"):
        assert f"There is no token for {missing}: {tmp_path / missing} is not there, or empty." in log
    assert "no token for read" not in log
    assert (output, len(log.splitlines())) == ("", 1)


def test_a_caller_without_a_token_in_the_environment_is_named_with_its_variable() -> None:
    status, _, log = ended("shipping", TOKEN_SHIP_ORDER="")
    assert status == 1
    assert "There is no token for ship-order: TOKEN_SHIP_ORDER is not there, or empty." in log


@pytest.mark.parametrize("host", ["::", "127.0.0.1", "0.0.0.0"])  # noqa: S104 - free ports, for a moment
def test_a_service_that_listens_everywhere_takes_ipv4_as_well(host: str) -> None:
    with listening(host, 0) as listener:
        address = ("127.0.0.1", listener.getsockname()[1])
        socket.create_connection(address, timeout=5).close()


def test_a_taken_port_is_one_clear_message_and_a_failure(postgres: Postgres) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, output, log = ended("orders", DATABASE_URL=postgres.url(), PORT=str(port))
    assert status == 1
    assert f"Port {port}" in log
    assert (output, len(log.splitlines())) == ("", 1)


@pytest.mark.parametrize("port", ["80000", "-1", "http"])
def test_a_port_that_cannot_be_is_one_clear_message(port: str) -> None:
    status, output, log = ended("orders", PORT=port)
    assert (status, output, len(log.splitlines())) == (1, "", 1)
    assert "port Input should be" in log


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://postgres:hunter2@127.0.0.1:1/postgres", "No database answers at 127.0.0.1:1."),
        ("postgresql://postgres:hunter2@127.0.0.1:{port}/postgres", "refuses postgres: password authentication failed"),
        ("not a url: hunter2", "database_url Value error, is no PostgreSQL URL"),
        ("mysql://postgres:hunter2@127.0.0.1/postgres", "database_url Value error, is no PostgreSQL URL"),
        ("postgresql://postgres:hunter2@127.0.0.1:port/postgres", "database_url Value error, is no PostgreSQL URL"),
        ("", "Set DATABASE_URL"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_clear_message_without_the_password(
    postgres: Postgres, url: str, says: str
) -> None:
    environment = {"DATABASE_URL": url.format(port=postgres.port)} if url else {}
    status, output, log = ended("payment", PORT="0", **environment)
    assert status == 1
    assert says in log
    assert "hunter2" not in log
    assert (output, len(log.splitlines())) == ("", 1)


def test_every_service_declares_its_port_and_there_is_no_list() -> None:
    participants = {"inventory": 8102, "orders": 8101, "payment": 8103, "shipping": 8104}
    assert {**participants, "card_processor": 8105} == services.PORTS
