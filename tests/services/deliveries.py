"""What the tests of the relay look at: how far each event is."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from tests.services.conftest import Logged
from tests.services.participant import HOLD, Participant

Outbox: TypeAlias = Callable[[], Awaitable[list[tuple[str, str]]]]
"""Reads the inventory's events by id, and how far each is."""
TimelineIds: TypeAlias = Callable[[], Awaitable[list[str]]]
"""Reads the ids of the events that were applied, in that order."""


def all_are(state: str, count: int) -> Callable[[list[tuple[str, str]]], bool]:
    return lambda rows: [each for _, each in rows] == [state] * count


def events_url(consumer: Participant) -> str:
    return f"{consumer.http.base_url}/events"


async def reserve(inventory: Participant, order_id: str) -> None:
    assert (await inventory.do(f"/reservations/{order_id}", HOLD)).status_code == 200


async def lines(logged: Logged) -> list[dict[str, object]]:
    return logged()
