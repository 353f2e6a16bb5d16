"""What the tests of the whole process share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from random import Random

import httpx
import pytest

from saga.clients.addresses import Addresses
from saga.common.tokens import Tokens
from saga.kit.gateway.connection import open_channel, stub
from saga.stack import stack as embedded
from saga.stack.node import ensure_zbctl
from tests.process.starts import Ways
from tests.stack import Stack


@pytest.fixture
def tokens(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Tokens:
    """The tokens of the suite's stack."""
    monkeypatch.setenv("SAGA_HOME", stack.environment["SAGA_HOME"])
    return Tokens({"TOKENS": str(embedded.Stack(stack.offset).tokens)})


@pytest.fixture
async def starter(stack: Stack, addresses: Addresses, tokens: Tokens) -> AsyncIterator[Ways]:
    program = await asyncio.to_thread(ensure_zbctl)
    zbctl = (str(program), "--insecure", "--address", addresses.engine.address)
    seed = Random().randrange(2**32)  # noqa: S311 - jitter
    print(f"seed {seed}")  # noqa: T201 - to run it again
    async with AsyncExitStack() as exits:
        channel = await exits.enter_async_context(open_channel(addresses.engine))
        url, token = addresses.service("orders"), tokens.authorization("place-order")
        shop = await exits.enter_async_context(httpx.AsyncClient(base_url=url, headers=token, timeout=20))
        yield Ways(stub(channel), shop, lambda *arguments: stack.run(*zbctl, *arguments), Random(seed))  # noqa: S311
