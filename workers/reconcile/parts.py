"""Everything that the reconciler is made of, for its command, its process, and whoever undoes a saga."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from random import SystemRandom

import grpc

import services
import workers.steps
from services.kit.clients import open_client
from services.kit.tokens import read_tokens
from workers.addresses import Addresses
from workers.gateway import channel as channel_to
from workers.instances import Instances
from workers.kit.connection import stub
from workers.kit.discovery import discover
from workers.kit.service import Participants
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
    instances: Instances
    ledgers: dict[str, Ledger]
    undoing: Undoing
    sweeper: Sweeper


@asynccontextmanager
async def parts(addresses: Addresses, lost_at: datetime | None = None) -> AsyncIterator[Parts]:
    """Open what the reconciler speaks to: the participants and the cluster; nobody is asked anything yet.

    Raises:
        Failure: Nothing says where the cluster's REST API is.
    """
    async with AsyncExitStack() as stack:
        instances = Instances.at(addresses)
        stack.push_async_callback(instances.close)
        channel = await stack.enter_async_context(channel_to(addresses))
        clients = {
            name: await stack.enter_async_context(open_client(addresses.service(name), timeout=TIMEOUT))
            for name in services.participants()
        }
        tokens = read_tokens()
        participants = {name: Participant(name, http, tokens) for name, http in clients.items()}
        ledgers = {name: Ledger(participant) for name, participant in participants.items()}
        undoing = Undoing(discover(workers.steps), Participants(clients, for_step(tokens)), SystemRandom())
        gateway = stub(channel)
        sweeper = Sweeper(list(ledgers.values()), Records(instances, gateway, lost_at), undoing, Entries(gateway).ask)
        yield Parts(channel, participants, instances, ledgers, undoing, sweeper)


@asynccontextmanager
async def parts_for_a_command(addresses: Addresses, lost_at: datetime | None = None) -> AsyncIterator[Parts]:
    """Open them for somebody who waits: a REST API that does not answer is told at once.

    Raises:
        Failure: Nothing says where the cluster's REST API is, or it does not answer, or refuses the credentials.
    """
    async with parts(addresses, lost_at) as opened:
        await opened.instances.check_login()
        yield opened
