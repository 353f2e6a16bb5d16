"""Plain pyzeebe 4.7, as its documentation shows it; its defaults, but for the number of jobs in flight.

Arguments: the gateway's address, the number of jobs in flight.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from pyzeebe import ZeebeTaskRouter, ZeebeWorker, create_insecure_channel

from tests.benchmarks.peers.control import obey


def _router(task_type: str, in_flight: int) -> ZeebeTaskRouter:
    router = ZeebeTaskRouter()

    @router.task(  # type: ignore[arg-type] # its own annotation takes no function
        task_type=task_type, max_jobs_to_activate=in_flight, max_running_jobs=in_flight
    )
    async def do(order: str, amount: int, customer: str) -> dict[str, object]:  # noqa: ARG001 - they say what is fetched
        return {"done": {}}

    return router


async def _main(address: str, in_flight: int) -> None:
    @asynccontextmanager
    async def subscribe(task_types: Sequence[str]) -> AsyncIterator[None]:
        channel = create_insecure_channel(grpc_address=address)
        worker = ZeebeWorker(channel)
        worker.include_router(*(_router(each, in_flight) for each in task_types))
        working = asyncio.create_task(worker.work())
        try:
            yield
        finally:
            # Its own stop() waits for ever for a job that does not end.
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await channel.close()

    await obey(subscribe)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
