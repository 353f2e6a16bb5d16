"""Placing: what a shop placed is started once by the real broker, whatever is away, lost or runs twice on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import grpc
import httpx
import pytest
from structlog.testing import capture_logs

from order_fulfillment import saga
from order_fulfillment.publisher import NotPublished, OrderPublisher
from saga.clients import zeebe
from saga.clients.addresses import Addresses
from saga.clients.failure import Failure
from saga.clients.instances import Instances
from saga.clients.participant import Participant
from saga.common.tokens import Tokens
from saga.kit.gateway.connection import open_channel
from tests.proxy import HoldingProxy
from tests.runtime.faulty import FaultyGateway
from tests.stack import Stack, free_port
from tests.world import World, eventually

NewOrder = Callable[..., dict[str, Any]]
Lines = list[Any]
"""What was logged."""


@dataclass(frozen=True)
class Shop:
    """Places orders, and follows what becomes of them."""

    http: httpx.AsyncClient
    tokens: Tokens
    world: World
    instances: Instances
    new_order: NewOrder

    @property
    def orders(self) -> Participant:
        """The orders service, as those who publish ask it."""
        return Participant("orders", self.http, self.tokens)

    async def place(self) -> str:
        """Place an order of three pieces and return its id."""
        order = self.new_order()
        answer = await self.http.post("/orders", json=order, headers=self.tokens.authorization("place-order"))
        assert answer.status_code == 202, answer.text
        return str(order["orderId"])

    async def waits(self, order_id: str) -> bool:
        """Tell whether the order is kept and not published yet."""
        query = "SELECT body IS NOT NULL AS waits FROM orders.placements WHERE order_id = $1"
        [row] = await self.world.fetch(query, order_id)
        return bool(row["waits"])

    async def sees_one_start(self, order_id: str) -> None:
        """Wait for the order's end; check that it has one instance, and that its body is forgotten."""
        await eventually(lambda: self.world.effects(order_id), lambda effects: effects.shipped == 3)
        assert not await self.waits(order_id)
        [instance] = await eventually(lambda: self.instances.with_variable("orderId", order_id), bool)
        ends = [node.name for node in await self.instances.path(instance.key) if node.type == "END_EVENT"]
        assert ends == ["Order fulfilled"]
        assert [each.key for each in await self.instances.with_variable("orderId", order_id)] == [instance.key]


@pytest.fixture
async def shop(
    addresses: Addresses, tokens: Tokens, world: World, instances: Instances, new_order: NewOrder
) -> AsyncIterator[Shop]:
    async with httpx.AsyncClient(base_url=addresses.service("orders"), timeout=20) as http:
        # What other tests have placed, and nobody has published.
        await world.fetch("UPDATE orders.placements SET published_at = now(), body = NULL WHERE published_at IS NULL")
        yield Shop(http, tokens, world, instances, new_order)


@pytest.fixture(autouse=True)
def no_other_publisher(stack: Stack) -> Iterator[None]:
    """The stack's own reconciler would publish the orders before a test does."""
    with stack.halted("reconciler"):
        yield


@pytest.fixture
async def channel(addresses: Addresses) -> AsyncIterator[grpc.aio.Channel]:
    async with open_channel(addresses.engine) as channel:
        yield channel


@pytest.fixture
async def faulty(addresses: Addresses) -> AsyncIterator[FaultyGateway]:
    """A way to the broker on which a test can do harm."""
    async with FaultyGateway(addresses.engine.address) as gateway:
        yield gateway


@pytest.fixture
async def through(faulty: FaultyGateway) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(faulty.address) as channel:
        yield channel


@asynccontextmanager
async def running(placing: OrderPublisher) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(placing.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 2.0)  # Much less than its longest pause.


@contextmanager
def silent() -> Iterator[Lines]:
    """Check that nothing of a customer is logged."""
    with capture_logs() as lines:
        yield lines
    text = str(lines)
    assert not [secret for secret in ("4242424242424242", "Lovelace", "Analytical", "KEYBOARD") if secret in text]


async def some(lines: Lines) -> None:
    """Wait until something is logged."""

    async def logged() -> Lines:
        return list(lines)

    await eventually(logged, bool, seconds=20)


async def test_a_placed_order_is_started_and_forgotten(shop: Shop, channel: grpc.aio.Channel) -> None:
    order_id = await shop.place()
    placing = OrderPublisher(shop.orders, channel)
    with silent() as lines:
        assert await placing.publish() == 1
    assert [line["event"] for line in lines] == ["orders published"]
    await shop.sees_one_start(order_id)
    assert await placing.publish() == 0


async def test_an_order_is_not_started_again_when_the_brokers_reply_is_lost(
    shop: Shop, faulty: FaultyGateway, through: grpc.aio.Channel
) -> None:
    order_id = await shop.place()
    placing = OrderPublisher(shop.orders, through)
    faulty.lose_replies("PublishMessage", 1)
    with silent(), pytest.raises(NotPublished, match=r"^broker: UNAVAILABLE$"):
        await placing.publish()
    assert await shop.waits(order_id)
    assert await placing.publish() == 1
    await shop.sees_one_start(order_id)


async def test_an_order_is_not_started_again_when_it_could_not_be_marked(
    shop: Shop, addresses: Addresses, channel: grpc.aio.Channel
) -> None:
    order_id = await shop.place()

    async def cut(request: httpx.Request) -> None:
        if request.method == "POST":
            raise httpx.ConnectError(request.method)

    hooks = {"request": [cut]}
    async with httpx.AsyncClient(base_url=addresses.service("orders"), event_hooks=hooks) as cut_off:
        with silent(), pytest.raises(NotPublished, match=r"^orders at .* does not answer \(ConnectError\)\.$"):
            await OrderPublisher(Participant("orders", cut_off, shop.tokens), channel).publish()
    assert await shop.waits(order_id)
    assert await OrderPublisher(shop.orders, channel).publish() == 1
    await shop.sees_one_start(order_id)


async def test_an_order_waits_for_its_process_to_be_deployed(
    shop: Shop, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await shop.place()
    placing = OrderPublisher(shop.orders, channel)
    with monkeypatch.context() as patch:
        patch.setattr("order_fulfillment.publisher.PROCESS", "of-a-broker-that-lost-its-disk")
        with silent(), pytest.raises(NotPublished, match=r"^The process of-a-broker-that-.* is not deployed, so"):
            await placing.publish()
    assert await shop.waits(order_id)
    assert await placing.publish() == 1
    await shop.sees_one_start(order_id)


async def test_no_message_is_published_by_hand_for_a_process_that_is_not_deployed(
    addresses: Addresses,
) -> None:
    away = replace(saga, process="not-there")
    with pytest.raises(Failure, match=r"is not deployed, so nothing was started\. Run `saga deploy`"):
        await zeebe.place(addresses, away, "4711", {"orderId": "4711"})


async def test_several_publishers_at_once_start_each_order_once(shop: Shop, channel: grpc.aio.Channel) -> None:
    order_ids = [await shop.place() for _ in range(10)]
    await asyncio.gather(*(OrderPublisher(shop.orders, channel).publish() for _ in range(4)))
    for order_id in order_ids:
        await shop.sees_one_start(order_id)


async def test_what_is_too_much_for_one_batch_is_published_all_the_same(shop: Shop, channel: grpc.aio.Channel) -> None:
    order_ids = [await shop.place() for _ in range(40)]

    async def left() -> list[str]:
        return [order_id for order_id in order_ids if await shop.waits(order_id)]

    with silent() as lines:
        async with running(OrderPublisher(shop.orders, channel)):
            await eventually(left, lambda orders: not orders)
    batches = [line["orders"] for line in lines if line["event"] == "orders published"]
    assert sum(batches) == 40
    assert max(batches) <= 16


@pytest.mark.long
@pytest.mark.parametrize("status", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
async def test_orders_wait_for_a_broker_that_is_away_or_busy(
    shop: Shop, faulty: FaultyGateway, through: grpc.aio.Channel, status: grpc.StatusCode
) -> None:
    with silent() as lines:
        async with running(OrderPublisher(shop.orders, through, warn_after=1.0)):
            with faulty.refusing(status):
                order_id = await shop.place()
                await some(lines)
                assert await shop.waits(order_id)
                assert faulty.refused["CreateProcessInstance"] >= 3
            await shop.sees_one_start(order_id)
    assert (lines[0]["event"], lines[0]["why"]) == ("placed orders wait", f"broker: {status.name}")
    assert [line["event"] for line in lines][-2:] == ["orders published", "placed orders are published again"]


@pytest.mark.long
async def test_orders_wait_for_an_orders_service_that_is_away(
    shop: Shop, addresses: Addresses, channel: grpc.aio.Channel
) -> None:
    order_id = await shop.place()
    way = HoldingProxy(free_port())
    with silent() as lines:
        async with (
            httpx.AsyncClient(base_url=way.url) as http,
            running(OrderPublisher(Participant("orders", http, shop.tokens), channel, warn_after=1.0)),
        ):
            await some(lines)
            way.start(addresses.service("orders"))
            await shop.sees_one_start(order_id)
    way.stop()
    assert lines[0]["why"] == f"orders at {way.url} does not answer (ConnectError)."
    assert lines[-1]["event"] == "placed orders are published again"


async def test_it_stops_at_once_while_everything_is_away(shop: Shop) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    async with httpx.AsyncClient(base_url=f"http://{nobody}") as http, grpc.aio.insecure_channel(nobody) as channel:
        with capture_logs() as lines:
            async with running(OrderPublisher(Participant("orders", http, shop.tokens), channel)):
                await some(lines)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "There is no token for publish-orders: TOKEN_PUBLISH_ORDERS is not there, or empty."),
        ({"TOKEN_PUBLISH_ORDERS": "wrong"}, "answers 401 UNAUTHENTICATED: "),
    ],
)
async def test_a_token_that_is_missing_or_wrong_is_named(
    shop: Shop, channel: grpc.aio.Channel, environment: dict[str, str], said: str
) -> None:
    with pytest.raises(NotPublished) as caught:
        await OrderPublisher(Participant("orders", shop.http, Tokens(environment)), channel).publish()
    assert said in str(caught.value)


async def test_an_answer_that_lists_no_orders_is_not_repeated(shop: Shop, channel: grpc.aio.Channel) -> None:
    fake_orders = httpx.MockTransport(
        lambda _: httpx.Response(200, json={"placements": [{"card": "4242424242424242"}]})
    )
    async with httpx.AsyncClient(transport=fake_orders, base_url="http://orders") as http:
        with pytest.raises(NotPublished) as caught:
            await OrderPublisher(Participant("orders", http, shop.tokens), channel).publish()
    assert str(caught.value) == (
        "orders at http://orders answers what is not understood here. Is it that service, of this version?"
    )
    assert caught.value.__suppress_context__
