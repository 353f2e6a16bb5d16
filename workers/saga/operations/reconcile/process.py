"""The reconciler as a process: sweeps, doubts, what people have decided, and the publishers that processes bring."""

import asyncio
from random import SystemRandom

from saga.clients.addresses import Addresses
from saga.clients.environment import read
from saga.kit.execution.wiring import create_worker
from saga.kit.execution.worker import Worker
from saga.kit.observability.health import HealthServer
from saga.kit.settings import WorkerSettings
from saga.operations.reconcile import doubts
from saga.operations.reconcile.manual_tasks import settling
from saga.operations.reconcile.parts import Parts, parts
from saga.operations.reconcile.watch import ReconcilerSettings, Watch


async def run(addresses: Addresses, settings: ReconcilerSettings, stop: asyncio.Event) -> None:
    """Work until `stop` is set; then end what is in hand and return.

    Raises:
        Failure: Nothing says where the cluster's REST API is.
    """
    async with parts(addresses) as reconciler:
        watch = Watch(reconciler.sweeper, settings)
        followed = doubts.Doubts(reconciler.sweeper, reconciler.sagas, watch.account)
        messages = {doubts.PATH: followed.receive}
        server = HealthServer(settings.host, settings.port, watch.health, watch.metrics, messages)
        by_hand = _worker(reconciler)
        publishers = [
            saga.publisher(reconciler.participants, reconciler.channel)
            for saga in reconciler.sagas.definitions
            if saga.publisher
        ]
        stopping = asyncio.create_task(stop.wait())
        # A sweep may be broken off at any moment; the others are asked to end.
        endless = [asyncio.create_task(each) for each in (watch.run(), followed.follow())]
        asked = [asyncio.create_task(each) for each in (server.serve(), by_hand.run())]
        asked += [asyncio.create_task(publisher.run(stop)) for publisher in publishers]
        try:
            # None of them ends by itself; if one does, that is a bug, and the process must not live on deaf.
            await asyncio.wait([stopping, *endless, *asked], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            by_hand.stop()
            server.should_exit = True
            await asyncio.wait(asked)
            for task in (stopping, *endless):
                task.cancel()
            ended = await asyncio.gather(stopping, *endless, *asked, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error


def _worker(reconciler: Parts) -> Worker:
    """Return the worker that does what people have decided."""
    handler = settling(reconciler.ledgers, reconciler.sagas, reconciler.undoing)
    by_type = {handler.task_type: handler}
    return create_worker(reconciler.channel, by_type, {}, read(WorkerSettings), SystemRandom())
