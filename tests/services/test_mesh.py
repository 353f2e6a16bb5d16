"""Behind a proxy that sends a request again by itself, as a mesh does, each command still has one effect."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import httpx
import pytest

from tests.proxy import proxy_before
from tests.services.conftest import running
from tests.services.forked import forked
from tests.services.participant import OwnToken, Participant, Participants
from tests.services.postgres import Admin, is_waited_for
from tests.services.processor import GIVEN_BACK, TAKEN, Books, CardProcessor, reached_at
from tests.services.test_barrier import BRANCHES, PAYMENT, Branch
from tests.services.test_server import until_ready
from tests.stack import free_port
from tests.warm import Service
from tests.world import answers, eventually

_CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; {user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    upstream service {{ server 127.0.0.1:{first} max_fails=0; server 127.0.0.1:{second} backup; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_next_upstream error timeout http_502 http_503 non_idempotent; proxy_next_upstream_tries 3;
            proxy_connect_timeout 2s; proxy_read_timeout 2s;
        }}
    }}
}}
"""


@asynccontextmanager
async def mesh(folder: Path, first: int, second: int) -> AsyncIterator[str]:
    """Run nginx before two replicas: what the first does not answer well in a second, the second is sent."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        assert "CI" not in os.environ, "CI must have nginx"
        pytest.skip("nginx is not installed on this machine")
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    file = folder / "nginx.conf"
    file.write_text(_CONFIGURATION.format(folder=folder, first=first, second=second, port=port, user=user))
    process = await asyncio.create_subprocess_exec(nginx, "-c", str(file), "-p", str(folder))
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient() as http:
            await eventually(lambda: answers(http, f"{url}/live"), bool, seconds=10)
        yield url
    finally:
        process.terminate()
        await process.wait()


def to_processor(participants: Participants) -> dict[str, str]:
    """Return what payment needs in its environment; the others look at none of it."""
    return reached_at(str(participants["card_processor"].http.base_url))


async def send(participant: Participant, branch: Branch, order_id: str, op: str) -> httpx.Response:
    url = branch.url(order_id)
    return await (participant.do(url, branch.body) if op == "do" else participant.undo(url))


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("applied, and the answer is late", marks=pytest.mark.proof),
        "applied, and the answer is lost",
        "away",
    ],
)
@pytest.mark.parametrize("branch", BRANCHES, ids=lambda branch: branch.service)
async def test_a_request_that_the_mesh_sends_again_has_one_effect_and_one_answer(
    participants: Participants,
    role_urls: dict[str, str],
    admin: Admin,
    books: Books,
    tmp_path: Path,
    order_id: str,
    branch: Branch,
    fault: str,
) -> None:
    name, url = branch.service, branch.url(order_id)
    own = participants[name]
    target = f"http://127.0.0.1:{free_port()}" if fault == "away" else str(own.http.base_url)
    async with running(name, role_urls[name], to_processor(participants)) as replica:
        with proxy_before(target) as proxy:
            first, second = httpx.URL(proxy.url).port, replica.http.base_url.port
            assert first
            assert second
            async with (
                mesh(tmp_path, first, second) as behind,
                httpx.AsyncClient(base_url=behind, timeout=20, auth=OwnToken(own.router)) as http,
            ):
                caller = Participant(http, own.router)
                hold = {"away": None, "applied, and the answer is late": proxy.hold_reply}.get(fault, proxy.lose_reply)
                with hold("PUT", url) if hold else nullcontext():
                    done = await caller.do(url, branch.body)
                assert done.status_code == 200, done.text
                assert len(proxy.keys(url)) == 1, "it came to the first replica, and then to the second"
                with hold("DELETE", url) if hold else nullcontext():
                    undone = await caller.undo(url)
                assert undone.status_code == 200, undone.text
                assert (await own.do(url, branch.body)).content == done.content
                assert (await own.undo(url)).content == undone.content
    rows = f"SELECT op, status FROM {name}.barrier WHERE saga_id = $1 ORDER BY op"  # noqa: S608 - our name
    assert [tuple(row) for row in await admin.fetch(rows, order_id)] == [("do", 200), ("undo", 200)]
    assert await branch.effects(admin, order_id) == 1
    if name == "payment":
        assert await books.show(order_id) == ("cancelled", GIVEN_BACK)


@asynccontextmanager
async def mortal_replica(
    other: Participant, folder: Path, name: str, environment: dict[str, str]
) -> AsyncIterator[tuple[Participant, Service]]:
    """Run a replica as a process, and nginx before it and `other`; yield how to call nginx, and the process."""
    port, second = free_port(), other.http.base_url.port
    assert second
    with forked(name, PORT=str(port), **environment) as process:
        await asyncio.to_thread(until_ready, port)
        async with (
            mesh(folder, port, second) as behind,
            httpx.AsyncClient(base_url=behind, timeout=20, auth=OwnToken(other.router)) as http,
        ):
            yield Participant(http, other.router), process


@pytest.mark.proof
@pytest.mark.parametrize("op", ["do", "undo"])
@pytest.mark.parametrize("branch", BRANCHES, ids=lambda branch: branch.service)
async def test_a_request_whose_replica_is_killed_in_the_middle_has_its_effect_at_the_other(
    participants: Participants,
    role_urls: dict[str, str],
    admin: Admin,
    books: Books,
    tmp_path: Path,
    order_id: str,
    branch: Branch,
    op: str,
) -> None:
    name, url, other = branch.service, branch.url(order_id), participants[branch.service]
    if op == "undo":
        assert (await other.do(url, branch.body)).status_code == 200
    environment = {f"{name.upper()}_DATABASE_URL": role_urls[name], **to_processor(participants)}
    async with mortal_replica(other, tmp_path, name, environment) as (caller, victim):
        async with admin.transaction():
            await admin.execute(f"LOCK TABLE {name}.outbox IN EXCLUSIVE MODE")
            sending = asyncio.create_task(send(caller, branch, order_id, op))
            await eventually(lambda: is_waited_for(admin, f"{name}.outbox"), bool, seconds=10)
            victim.signal(signal.SIGKILL)
        answer = await sending
    assert answer.status_code == 200, answer.text
    assert (await send(other, branch, order_id, op)).content == answer.content
    rows = f"SELECT count(*) FROM {name}.barrier WHERE saga_id = $1 AND op = $2 AND status = 200"  # noqa: S608 - our name
    assert await admin.fetchval(rows, order_id, op) == 1
    assert await branch.effects(admin, order_id) == 1
    if name == "payment":
        assert await books.show(order_id) == (("captured", TAKEN) if op == "do" else ("cancelled", GIVEN_BACK))


@pytest.mark.proof
@pytest.mark.parametrize("op", ["do", "undo"])
async def test_a_payment_whose_replica_is_killed_while_the_processor_answers_is_asked_for_by_the_other(
    participants: Participants,
    role_urls: dict[str, str],
    card_processor: CardProcessor,
    books: Books,
    tmp_path: Path,
    order_id: str,
    op: str,
) -> None:
    other, url = participants["payment"], PAYMENT.url(order_id)
    if op == "undo":
        assert (await other.do(url, PAYMENT.body)).status_code == 200
    with proxy_before(str(card_processor.http.base_url)) as way:
        environment = {"PAYMENT_DATABASE_URL": role_urls["payment"], **reached_at(way.url)}
        async with mortal_replica(other, tmp_path, "payment", environment) as (caller, victim):
            with way.hold_reply("POST", "/charges" if op == "do" else f"/charges/{order_id}/cancel") as held:
                sending = asyncio.create_task(send(caller, PAYMENT, order_id, op))
                await asyncio.to_thread(held.wait_until_applied)
                victim.signal(signal.SIGKILL)
                answer = await sending
    assert answer.status_code == 200, answer.text
    assert (await send(other, PAYMENT, order_id, op)).content == answer.content
    calls = [("charge", 200), ("ask", 200)] if op == "do" else [("charge", 200), ("cancel", 200), ("cancel", 200)]
    assert await card_processor.calls(order_id) == calls
    assert await books.show(order_id) == (("captured", TAKEN) if op == "do" else ("cancelled", GIVEN_BACK))
    assert await books.events(order_id) == (["done"] if op == "do" else ["done", "undone"])
