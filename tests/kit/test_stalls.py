"""A link that stands and carries nothing, as behind a firewall that has forgotten it: no end and no reset is ever seen.

The relay on the way is faked, and the times after which gRPC gives a silent connection up are a twentieth of ours.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.kit.gateway import connection
from saga.kit.settings import EngineSettings
from tests.kit.bench import Bench, Seen, until, working
from tests.kit.gateway import ScriptedGateway, serving

_SHORTER = 20
_PINGS_ARE_WELCOME = (("grpc.http2.min_ping_interval_without_data_ms", 100), ("grpc.http2.max_ping_strikes", 0))


class FakeFirewall:
    """Relays to `target`; what it has forgotten stays open and carries nothing, in either direction."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._remembered = asyncio.Event()
        self._remembered.set()
        self.links = 0

    def forget(self) -> None:
        """Forget every link there is; those that come later are served."""
        self._remembered.clear()
        self._remembered = asyncio.Event()
        self._remembered.set()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.links += 1
        host, port = self._target.split(":")
        there, back = await asyncio.open_connection(host, int(port))
        remembered = self._remembered
        try:
            await asyncio.gather(_pump(reader, back, remembered), _pump(there, writer, remembered))
        finally:
            back.close()
            writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, open_: asyncio.Event) -> None:
    while data := await source.read(65_536):
        await open_.wait()
        sink.write(data)
        await sink.drain()


@asynccontextmanager
async def firewall(target: str) -> AsyncIterator[tuple[FakeFirewall, str]]:
    fake = FakeFirewall(target)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(fake.relay(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield fake, f"{host}:{port}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_answer_on_a_link_that_carries_nothing_is_given_on_a_new_one(
    gateway: ScriptedGateway, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = ("grpc.keepalive_time_ms", "grpc.keepalive_timeout_ms", "grpc.http2.ping_timeout_ms")
    shorter = tuple((name, each // _SHORTER if name in times else each) for name, each in connection.OPTIONS)
    monkeypatch.setattr(connection, "OPTIONS", shorter)
    seen = Seen()
    gateway.push(gateway.job(key=7))
    async with (
        serving(gateway, options=_PINGS_ARE_WELCOME) as target,
        firewall(target) as (fake, address),
        connection.open_channel(EngineSettings(ZEEBE_ADDRESS=address)) as channel,
        working(gateway, bench.step, seen, channel=channel) as worker,
    ):
        await until(lambda: bench.running == 1)
        fake.forget()
        bench.go.set()
        await until(lambda: bool(seen.jobs))
        await until(lambda: gateway.streams_begun == 2)
        gateway.push(gateway.job(), gateway.job())  # One is for the stream that the gateway still takes for alive.
        await until(lambda: len(seen.jobs) == 2)
        assert worker.ready
    assert [type(request) for request in gateway.told] == [pb.CompleteJobRequest] * 2
    assert [ended.doubt for ended in seen.jobs] == [None, None]
    assert fake.links == 2
