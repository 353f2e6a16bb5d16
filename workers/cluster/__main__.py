"""The supervisor in the background: `python -m workers.cluster PORT_OFFSET PART...`, started by `saga up --detach`."""

import asyncio
import sys

from workers.cluster.errors import StackError
from workers.cluster.stack import Stack
from workers.cluster.stopping import stop_on_signals


async def _main(port_offset: int, parts: list[str]) -> None:
    with stop_on_signals() as stop:
        await Stack(port_offset, parts).run(stop, watch=lambda _state: None)


if __name__ == "__main__":
    try:
        asyncio.run(_main(int(sys.argv[1]), sys.argv[2:]))
    except StackError as error:
        sys.exit(str(error))
