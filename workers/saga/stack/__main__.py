"""The supervisor in the background: `python -m saga.stack PORT_OFFSET PART...`, started by `saga up --detach`."""

import asyncio
import signal
import sys

from saga.common.signals import stop_on_signals
from saga.stack.errors import StackError
from saga.stack.stack import Stack


async def _main(port_offset: int, parts: list[str]) -> None:
    with stop_on_signals(signal.SIGHUP) as stop:
        await Stack(port_offset, parts).run(stop, watch=lambda _state: None)


if __name__ == "__main__":
    try:
        asyncio.run(_main(int(sys.argv[1]), sys.argv[2:]))
    except StackError as error:
        sys.exit(str(error))
