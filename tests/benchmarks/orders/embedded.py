"""An embedded stack for as long as a measurement lasts, with the diagram deployed."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import stamina

from saga.clients.addresses import Addresses
from saga.clients.failure import Failure
from saga.clients.zeebe import deploy, resources
from saga.stack.stack import Stack

_DEPLOY_SECONDS = 60.0
"""A cold broker that has just said that it is ready may take longer for its first command than a client waits."""


@asynccontextmanager
async def running(port_offset: int, parts: Collection[str]) -> AsyncIterator[Stack]:
    """Run `parts` and all that they need in the background, with data in a folder of its own.

    The folder is deleted at the end, unless the body raised: then it stays, for somebody to look into.
    """
    home = tempfile.mkdtemp(prefix="saga-bench-")
    before = os.environ.get("SAGA_HOME")
    os.environ["SAGA_HOME"] = home
    stack = Stack(port_offset, parts)
    loop = asyncio.get_running_loop()
    body = asyncio.current_task()
    if body is not None:
        # The stack is a session of its own and would outlive a measurement that is simply ended.
        loop.add_signal_handler(signal.SIGTERM, body.cancel)
    try:
        try:
            await asyncio.to_thread(_start, stack)
            await _deploy(port_offset)
            yield stack
        finally:
            await asyncio.to_thread(stack.down)
            loop.remove_signal_handler(signal.SIGTERM)
            if before is None:
                del os.environ["SAGA_HOME"]
            else:
                os.environ["SAGA_HOME"] = before
    except BaseException as error:
        error.add_note(f"What the stack left behind is in {stack.layout.data}.")
        raise
    shutil.rmtree(home)


def _start(stack: Stack) -> None:
    stack.wait_ready(lambda _state: None, stack.start_detached())


async def _deploy(port_offset: int) -> None:
    async for attempt in stamina.retry_context(on=Failure, attempts=None, timeout=_DEPLOY_SECONDS, wait_max=1.0):
        with attempt:
            await deploy(Addresses.of(port_offset), resources())
