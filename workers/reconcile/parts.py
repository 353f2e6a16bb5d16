"""Everything that the reconciler is made of, for its command, its process, and whoever undoes a saga."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from random import SystemRandom

import grpc
import httpx

import services
import workers.steps
from services.kit.tokens import read_tokens
from workers.addresses import Addresses
from workers.client import channel as channel_to
from workers.failure import Failure
from workers.kit.connection import stub
from workers.kit.discovery import discover
from workers.kit.service import Participants
from workers.operate import Operate
from workers.participant import TIMEOUT, Participant
from workers.reconcile.by_hand import Entries
from workers.reconcile.effects import Ledger
from workers.reconcile.records import Records
from workers.reconcile.sweep import Sweeper
from workers.reconcile.undoing import Undoing
from workers.tokens import for_step


@dataclass(frozen=True, slots=True)
class Parts:
    """The reconciler's parts, wired."""

    channel: grpc.aio.Channel
    participants: dict[str, Participant]
    operate: Operate
    ledgers: dict[str, Ledger]
    undoing: Undoing
    sweeper: Sweeper


@asynccontextmanager
async def parts(addresses: Addresses, lost_at: datetime | None = None) -> AsyncIterator[Parts]:
    """Open what the reconciler speaks to: the participants, Operate and the broker; nobody is asked anything yet.

    Raises:
        Failure: Nothing says where Operate is.
    """
    if addresses.operate is None:
        message = "CAMUNDA_OPERATE_BASE_URL is not set, so nobody can say what became of an instance. Set it."
        raise Failure(message)
    async with AsyncExitStack() as stack:
        operate = Operate(addresses.operate)
        stack.push_async_callback(operate.close)
        channel = await stack.enter_async_context(channel_to(addresses))
        clients = {
            name: await stack.enter_async_context(httpx.AsyncClient(base_url=addresses.service(name), timeout=TIMEOUT))
            for name in services.participants()
        }
        tokens = read_tokens()
        participants = {name: Participant(name, http, tokens) for name, http in clients.items()}
        ledgers = {name: Ledger(participant) for name, participant in participants.items()}
        undoing = Undoing(discover(workers.steps), Participants(clients, for_step(tokens)), SystemRandom())
        gateway = stub(channel)
        sweeper = Sweeper(list(ledgers.values()), Records(operate, gateway, lost_at), undoing, Entries(gateway).ask)
        yield Parts(channel, participants, operate, ledgers, undoing, sweeper)


@asynccontextmanager
async def parts_for_a_command(addresses: Addresses, lost_at: datetime | None = None) -> AsyncIterator[Parts]:
    """Open them for somebody who waits: an Operate that is not there is told at once.

    Raises:
        Failure: Nothing says where Operate is, or it cannot be logged in to.
    """
    async with parts(addresses, lost_at) as opened:
        await opened.operate.log_in()
        yield opened
