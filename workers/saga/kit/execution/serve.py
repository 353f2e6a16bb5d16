"""Serve all task types of a worker until it is stopped, then drain it."""

import asyncio

from saga.kit.execution.drain import Drain
from saga.kit.execution.parts import WorkerParts


class StopRequest:
    """Whether a worker is to stop, and whether it is to wait for its active jobs."""

    def __init__(self) -> None:
        """Start without a request."""
        self.stopping = asyncio.Event()
        """Set once no more jobs are taken."""
        self.aborting = asyncio.Event()
        """Set once active jobs are not waited for."""

    def request(self) -> None:
        """Stop; the second time, do not wait for active jobs."""
        if self.stopping.is_set():
            self.aborting.set()
        self.stopping.set()


async def serve(parts: WorkerParts, stop: StopRequest) -> None:
    """Subscribe to all task types until `stop`; then drain.

    Raises:
        Exception: One of the subscriptions or watches ended with a bug.
    """
    subscriptions = [served.subscription for served in parts.served.values()]
    watching = [asyncio.create_task(parts.channel_watch.watch()), asyncio.create_task(parts.leases.keep())]
    subscribed = [asyncio.create_task(subscription.run()) for subscription in subscriptions]
    stopping = asyncio.create_task(stop.stopping.wait())
    parts.watchdog.start()
    try:
        # None of them ends by itself. If one does, that is a bug, and the process must not live on without it.
        await asyncio.wait([*watching, *subscribed, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        parts.watchdog.stop()
        stop.stopping.set()
        parts.window.close()
        for subscription in subscriptions:
            subscription.close()
        await asyncio.gather(*(subscription.stop() for subscription in subscriptions))
        drain = Drain(parts.active, parts.backlog, parts.releases, parts.crash_guard)
        await drain.run(parts.settings.drain, stop.aborting)
        for task in (*watching, stopping):
            task.cancel()
        ended = await asyncio.gather(*watching, *subscribed, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error
