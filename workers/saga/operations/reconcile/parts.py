"""Everything that the reconciler is made of, for its command, its process, and whoever undoes a saga."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from random import SystemRandom

import grpc

from saga.clients.addresses import Addresses
from saga.clients.gateway import channel as channel_to
from saga.clients.instances import Instances
from saga.clients.participant import TIMEOUT, Participant
from saga.clients.tokens import for_step
from saga.common import project
from saga.common.http_clients import open_client
from saga.common.tokens import read_tokens
from saga.kit.definition.registry import SagaRegistry, discover_sagas
from saga.kit.definition.service import Participants
from saga.kit.gateway.connection import stub
from saga.operations.reconcile.effects import Ledger
from saga.operations.reconcile.manual_tasks import ManualTasks
from saga.operations.reconcile.records import Records
from saga.operations.reconcile.sweep import Sweeper
from saga.operations.reconcile.undo_executor import UndoExecutor


@dataclass(frozen=True, slots=True)
class Parts:
    """The reconciler's parts, wired."""

    sagas: SagaRegistry
    channel: grpc.aio.Channel
    participants: dict[str, Participant]
    instances: Instances
    ledgers: dict[str, Ledger]
    undoing: UndoExecutor
    sweeper: Sweeper


@asynccontextmanager
async def parts(addresses: Addresses, lost_at: datetime | None = None) -> AsyncIterator[Parts]:
    """Open what the reconciler speaks to: the participants and the cluster; nobody is asked anything yet.

    Raises:
        Failure: Nothing says where the cluster's REST API is.
    """
    sagas = discover_sagas()
    async with AsyncExitStack() as stack:
        instances = Instances.at(addresses)
        stack.push_async_callback(instances.close)
        channel = await stack.enter_async_context(channel_to(addresses))
        clients = {
            name: await stack.enter_async_context(open_client(addresses.service(name), timeout=TIMEOUT))
            for name in project.participants()
        }
        tokens = read_tokens()
        participants = {name: Participant(name, http, tokens) for name, http in clients.items()}
        ledgers = {name: Ledger(participant) for name, participant in participants.items()}
        undoing = UndoExecutor(sagas, Participants(clients, for_step(tokens)), SystemRandom())
        gateway = stub(channel)
        records = Records(instances, gateway, lost_at)
        sweeper = Sweeper(list(ledgers.values()), records, sagas, undoing, ManualTasks(gateway, sagas).ask)
        yield Parts(sagas, channel, participants, instances, ledgers, undoing, sweeper)


@asynccontextmanager
async def parts_for_a_command(addresses: Addresses, lost_at: datetime | None = None) -> AsyncIterator[Parts]:
    """Open them for somebody who waits: a REST API that does not answer is told at once.

    Raises:
        Failure: Nothing says where the cluster's REST API is, or it does not answer, or refuses the credentials.
    """
    async with parts(addresses, lost_at) as opened:
        await opened.instances.check_login()
        yield opened
