"""A session with an Operate, or with what stands in its place, that does not answer as it should."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from workers.operate import Operate

from workers.failure import Failure


@pytest.fixture
async def somebody() -> AsyncIterator[str]:
    """The address of a fake that answers everything with a page for people, as a proxy does."""
    page = b"<html>sign in</html>"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_what_is_no_answer_of_operate_is_said(somebody: str) -> None:
    async with Operate(somebody) as operate:
        with pytest.raises(Failure, match=f"Operate at {somebody} answers with what is no list of process-instances."):
            await operate.instance(4711)
