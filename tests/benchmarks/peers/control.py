"""How the benchmark drives a peer: a line on standard input, `open TYPE...` or `close`, is answered when it is done."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import uvloop

Subscribe = Callable[[Sequence[str]], AbstractAsyncContextManager[None]]
"""Works at the jobs of the task types for as long as the context is open."""


async def obey(subscribe: Subscribe) -> None:
    """Do what the benchmark says until it closes the pipe or is gone."""
    async with AsyncExitStack() as opened:
        while line := await asyncio.to_thread(sys.stdin.readline):
            word, *task_types = line.split()
            if word == "open":
                await opened.enter_async_context(subscribe(task_types))
            else:
                await opened.aclose()
            print(word, flush=True)  # noqa: T201 - the answer


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a peer on the event loop that costs raw stubs and ours the least."""
    uvloop.run(main)
