"""SIGKILL of payment, and of its database, at each moment of its two transactions and of what is said between them.

What is left is one of three: what was there before, what is intended without its outcome, or the outcome with its
answer. From each of them the same command goes on, and both sides' books end alike.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import asyncpg
import httpx
import pytest

from tests.proxy import HoldingProxy, proxy_before
from tests.services import test_kills as kills
from tests.services.participant import CHARGE, Participant, code
from tests.services.postgres import Admin, Postgres
from tests.services.processor import GIVEN_BACK, NOTHING, TAKEN, Books, CardProcessor, reached_at
from tests.services.test_barrier import PAYMENT
from tests.warm import Service


@dataclass(frozen=True)
class State:
    """What both sides hold of an order; a barrier row is its op, whether it is fenced, and the answer's status."""

    barrier: list[tuple[str, bool, int | None]]
    payment: tuple[str | None, tuple[int, int]]
    events: list[str]
    at_processor: tuple[int, int]


@dataclass(frozen=True)
class Story:
    """A command, and what there is before it, after its first transaction, and after its second."""

    name: str
    op: Literal["do", "undo"]
    before: State
    intended: State
    after: State


UNTOUCHED = State([], (None, NOTHING), [], NOTHING)
PENDING = State([("do", False, None)], ("pending", NOTHING), [], TAKEN)
DONE = State([("do", False, 200)], ("captured", TAKEN), ["done"], TAKEN)
STORIES = [
    Story("do", "do", UNTOUCHED, PENDING, DONE),
    Story(
        "undo",
        "undo",
        DONE,
        State([*DONE.barrier, ("undo", False, None)], DONE.payment, ["done"], GIVEN_BACK),
        State([*DONE.barrier, ("undo", False, 200)], ("cancelled", GIVEN_BACK), ["done", "undone"], GIVEN_BACK),
    ),
    Story(
        "undo of a pending do",
        "undo",
        PENDING,
        State([("do", True, None), ("undo", False, None)], PENDING.payment, [], GIVEN_BACK),
        State([("do", True, None), ("undo", False, 200)], ("cancelled", GIVEN_BACK), ["undone"], GIVEN_BACK),
    ),
]


@dataclass(frozen=True)
class Scene:
    """Payment as a process, its database, and the way to the processor."""

    story: Story
    order_id: str
    postgres: Postgres
    way: HoldingProxy
    payment: Participant
    process: Service

    async def prepare(self) -> None:
        """Bring about what there is before."""
        if self.story.before is DONE:
            assert (await self.payment.do(PAYMENT.url(self.order_id), CHARGE)).status_code == 200
        if self.story.before is PENDING:
            with self.way.lose_reply("POST", "/charges"):
                assert code(await self.payment.do(PAYMENT.url(self.order_id), CHARGE)) == (503, "OUTCOME_UNKNOWN")

    async def command(self, payment: Participant) -> httpx.Response | None:
        return await kills.send(payment, PAYMENT, self.order_id, self.story.op)


async def before_begin(scene: Scene, kill: kills.Kill) -> State:
    await kills.before_begin(scene.payment, scene.process, kill, scene.command, None)
    return scene.story.before


async def before_first_commit(scene: Scene, kill: kills.Kill) -> State:
    """Kill when all rows of the first transaction are written but its last."""
    row = f"SELECT 1 FROM payment.barrier WHERE saga_id = '{scene.order_id}' FOR UPDATE"  # noqa: S608 - our name
    lock = "LOCK TABLE payment.payments IN EXCLUSIVE MODE" if scene.story.op == "do" else row
    await kills.while_it_waits(scene.postgres, lock, kill, lambda: scene.command(scene.payment))
    return scene.story.before


async def in_conversation(scene: Scene, kill: kills.Kill) -> State:
    """Kill when the processor has done what was asked, and its answer is on its way."""
    path = "/charges" if scene.story.op == "do" else f"/charges/{scene.order_id}/cancel"
    with scene.way.hold_reply("POST", path) as held:
        sending = asyncio.create_task(scene.command(scene.payment))
        await asyncio.to_thread(held.wait_until_applied)
        kill()
    await sending
    return scene.story.intended


async def before_second_commit(scene: Scene, kill: kills.Kill) -> State:
    await kills.before_commit(scene.payment, scene.process, kill, scene.command, (scene.postgres, "payment"))
    return scene.story.intended


async def after_second_commit(scene: Scene, kill: kills.Kill) -> State:
    watched = scene.postgres, PAYMENT.url(scene.order_id)
    await kills.after_commit(scene.payment, scene.process, kill, scene.command, watched)
    return scene.story.after


MOMENTS = [before_begin, before_first_commit, in_conversation, before_second_commit, after_second_commit]


@pytest.fixture
def way(card_processor: CardProcessor) -> Iterator[HoldingProxy]:
    """The way from payment to its processor, which is never killed."""
    with proxy_before(str(card_processor.http.base_url)) as proxy:
        yield proxy


async def state(admin: Admin, processor: CardProcessor, order_id: str) -> State:
    books = Books(admin, processor)
    [at_processor] = await processor.money(order_id) or [NOTHING]
    payment = await books.payment(order_id)
    return State(await books.barrier(order_id), payment, await books.events(order_id), at_processor)


@pytest.mark.proof
@pytest.mark.parametrize("victim", ["service", "database"])
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
async def test_a_kill_leaves_each_of_the_two_transactions_whole_or_none_of_it(
    mortal: Postgres,
    way: HoldingProxy,
    card_processor: CardProcessor,
    order_id: str,
    story: Story,
    moment: Callable[[Scene, kills.Kill], Awaitable[State]],
    victim: str,
) -> None:
    environment = reached_at(way.url)
    async with kills.one("payment", mortal, environment) as (payment, process):
        scene = Scene(story, order_id, mortal, way, payment, process)
        await scene.prepare()
        left = await moment(scene, partial(process.signal, signal.SIGKILL) if victim == "service" else mortal.kill)
    if victim == "database":
        await mortal.start()
    admin = await asyncpg.connect(mortal.url())
    assert await state(admin, card_processor, order_id) == left
    async with kills.one("payment", mortal, environment) as (payment, _):
        answers = [await scene.command(payment) for _ in range(2)]
    assert all(answer is not None and answer.status_code == 200 for answer in answers)
    assert len({answer.content for answer in answers if answer is not None}) == 1
    assert await state(admin, card_processor, order_id) == story.after
    assert [call for call, _ in await card_processor.calls(order_id)].count("charge") == 1
    await admin.close()
