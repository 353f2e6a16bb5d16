"""SIGKILL of a service, and of its database, at three moments of a command: barrier and business rows, both or neither.

What payment has at its card processor is no row of the same transaction: test_kills_elsewhere.py kills there.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest

from services.participant.server import router_of
from tests.proxy import proxy_before
from tests.services.forked import forked
from tests.services.participant import OwnToken, Participant
from tests.services.postgres import Admin, Postgres
from tests.services.test_barrier import BRANCHES, Branch
from tests.services.test_server import until_ready
from tests.stack import free_port
from tests.warm import Service
from tests.world import eventually

LOCAL = [branch for branch in BRANCHES if branch.service != "payment"]
UNDONE = {
    "orders": "SELECT count(*) FROM orders.orders WHERE order_id = $1 AND status = 'cancelled'",
    "inventory": "SELECT count(DISTINCT order_id) FROM inventory.reservations "
    "WHERE order_id = $1 AND released = reserved",
    "shipping": "SELECT count(*) FROM shipping.shipments WHERE order_id = $1 AND cancelled",
}
Kill = Callable[[], None]
Command = Callable[[Participant], Coroutine[Any, Any, httpx.Response | None]]


async def undone(branch: Branch, admin: Admin, order_id: str) -> int:
    count: int = await admin.fetchval(UNDONE[branch.service], order_id)
    return count


@asynccontextmanager
async def one(
    name: str, postgres: Postgres, environment: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Participant, Service]]:
    """Run the service as a process; yield how to call it, and the process."""
    port = free_port()
    with forked(name, DATABASE_URL=postgres.url(), PORT=str(port), **(environment or {})) as process:
        await asyncio.to_thread(until_ready, port)
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=20, auth=OwnToken(router_of(name))) as http:
            yield Participant(http, router_of(name)), process


async def send(participant: Participant, branch: Branch, order_id: str, op: str) -> httpx.Response | None:
    """Return the answer; None where the connection broke."""
    url = branch.url(order_id)
    with suppress(httpx.TransportError):
        return await (participant.do(url, branch.body) if op == "do" else participant.undo(url))
    return None


async def before_begin(
    participant: Participant, process: Service, kill: Kill, command: Command, _: object
) -> httpx.Response | None:
    """Kill when the service has got the request and has not looked at it."""
    os.kill(process.pid, signal.SIGSTOP)
    sent = asyncio.Event()

    async def trace(moment: str, _: object) -> None:
        if moment == "http11.send_request_body.complete":
            sent.set()

    async def traced(request: httpx.Request) -> None:
        request.extensions["trace"] = trace

    participant.http.event_hooks = {"request": [traced]}
    sending = asyncio.create_task(command(participant))
    async with asyncio.timeout(10):
        await sent.wait()
    kill()
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGCONT)
    return await sending


async def before_commit(
    participant: Participant, _: object, kill: Kill, command: Command, watched: tuple[Postgres, str]
) -> httpx.Response | None:
    """Kill when all rows are written but the event, whose table is locked: COMMIT would be next."""
    postgres, service = watched
    return await while_it_waits(
        postgres, f"LOCK TABLE {service}.outbox IN EXCLUSIVE MODE", kill, lambda: command(participant)
    )


async def while_it_waits(
    postgres: Postgres, lock: str, kill: Kill, command: Callable[[], Coroutine[Any, Any, httpx.Response | None]]
) -> httpx.Response | None:
    """Kill when the command waits for what the statement `lock` holds."""
    watcher, locker = await asyncpg.connect(postgres.url()), await asyncpg.connect(postgres.url())
    await locker.execute(f"BEGIN; {lock}")
    sending = asyncio.create_task(command())
    await eventually(lambda: watcher.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"), bool, seconds=10)
    kill()
    answer = await sending
    for connection in (watcher, locker):
        connection.terminate()
    return answer


async def after_commit(
    participant: Participant, _: object, kill: Kill, command: Command, watched: tuple[Postgres, str]
) -> httpx.Response | None:
    """Kill when the answer is on its way, and has not come."""
    url = watched[1]
    with proxy_before(str(participant.http.base_url)) as proxy:
        async with httpx.AsyncClient(base_url=proxy.url, timeout=20, auth=participant.http.auth) as http:
            with proxy.hold_reply("PUT", url) as do, proxy.hold_reply("DELETE", url) as undo:
                sending = asyncio.create_task(command(Participant(http, participant.router)))
                await eventually(lambda: _either(do.applied.is_set() or undo.applied.is_set()), bool, seconds=10)
                kill()
            return await sending


async def _either(is_so: bool) -> bool:  # noqa: FBT001 - for `eventually`
    return is_so


@pytest.mark.proof
@pytest.mark.parametrize("victim", ["service", "database"])
@pytest.mark.parametrize("moment", [before_begin, before_commit, after_commit], ids=lambda moment: moment.__name__)
@pytest.mark.parametrize("op", ["do", "undo"])
@pytest.mark.parametrize("branch", LOCAL, ids=lambda branch: branch.service)
async def test_a_kill_leaves_the_rows_of_barrier_and_business_both_or_neither(
    mortal: Postgres, order_id: str, branch: Branch, op: str, moment: Callable[..., object], victim: str
) -> None:
    async with one(branch.service, mortal) as (participant, process):
        if op == "undo":
            done = await send(participant, branch, order_id, "do")
            assert done is not None
            assert done.status_code == 200
        kill = partial(process.signal, signal.SIGKILL) if victim == "service" else mortal.kill
        watched = (mortal, branch.url(order_id) if moment is after_commit else branch.service)
        await moment(participant, process, kill, lambda to: send(to, branch, order_id, op), watched)  # type: ignore[misc]
    if victim == "database":
        await mortal.start()
    admin = await asyncpg.connect(mortal.url())
    stands = moment is after_commit
    rows = f"SELECT count(*) FROM {branch.service}.barrier WHERE saga_id = $1 AND op = $2"  # noqa: S608 - our name
    event = f"SELECT count(*) FROM {branch.service}.outbox WHERE event ->> 'subject' = $1 AND event ->> 'type' LIKE $2"  # noqa: S608
    kind = "%.done" if op == "do" else "%.undone"
    assert await admin.fetchval(rows, order_id, op) == stands
    assert await admin.fetchval(event, order_id, kind) == stands
    effects = branch.effects if op == "do" else partial(undone, branch)
    assert await effects(admin, order_id) == stands
    async with one(branch.service, mortal) as (participant, _):
        answers = [await send(participant, branch, order_id, op) for _ in range(2)]
    assert all(answer is not None and answer.status_code == 200 for answer in answers)
    assert len({answer.content for answer in answers if answer is not None}) == 1
    assert await effects(admin, order_id) == 1
    assert await admin.fetchval(event, order_id, kind) == 1
    await admin.close()
