"""The books of each participant: few sagas and few articles, so that commands meet."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg
from pydantic import BaseModel

from services.inventory.commands import Hold, Release, Reservation
from services.orders.commands import Acceptance, Cancellation, NewOrder, Progress, Status
from services.participant.models import Item, Money, Nothing
from services.shipping.commands import Parcel, ShipmentCancellation
from tests.services.model.books import Books, require
from tests.services.model.commands import CANCELLATION, DISPATCH, ORDER, RESERVATION, SHIPMENT, Branch, Command
from tests.services.participant import ADDRESS
from tests.services.postgres import Admin


def fresh(what: str, count: int) -> tuple[str, ...]:
    """Return names that no other sequence has."""
    run = uuid4().hex
    return tuple(f"{what}-{run}-{number}" for number in range(count))


def _rows(rows: Iterable[asyncpg.Record]) -> set[tuple[Any, ...]]:
    return {tuple(row.values()) for row in rows}


@dataclass(slots=True)
class Inventory(Books):
    """Two articles, of which there are two pieces and one: hardly two orders can have what they want."""

    schema: str = "inventory"
    branches: tuple[Branch, ...] = (RESERVATION,)
    sagas: tuple[str, ...] = field(default_factory=lambda: fresh("order", 3))
    keeps: frozenset[str] = frozenset({"OUT_OF_STOCK"})
    on_hand: dict[str, int] = field(default_factory=lambda: dict(zip(fresh("sku", 2), (2, 1), strict=True)))
    held: dict[str, dict[str, int]] = field(default_factory=dict)
    released: set[str] = field(default_factory=set)

    async def open(self, connection: Admin) -> None:
        query = "INSERT INTO inventory.stock (sku, on_hand) SELECT * FROM unnest($1::text[], $2::bigint[])"
        await connection.execute(query, list(self.on_hand), list(self.on_hand.values()))

    def payloads(self, _branch: Branch) -> list[BaseModel]:
        one, two = self.on_hand
        wanted = [{one: 1}, {one: 2, two: 1}, {two: 1, one: 2}, {two: 1}, {one: 1, "PERPETUUM": 1}]
        return [Hold(items=[Item(sku=sku, quantity=count) for sku, count in each.items()]) for each in wanted]

    def _reserved(self, sku: str) -> int:
        return sum(held.get(sku, 0) for saga, held in self.held.items() if saga not in self.released)

    def refusals(self, command: Command) -> set[str]:
        assert isinstance(command.payload, Hold)
        items = command.payload.items
        short = any(self.on_hand.get(item.sku, 0) - self._reserved(item.sku) < item.quantity for item in items)
        return {"OUT_OF_STOCK" if short else ""}

    def take_effect(self, command: Command) -> BaseModel:
        if command.is_undo:
            self.released.add(command.saga)
            items = [Item(sku=sku, quantity=count) for sku, count in sorted(self.held[command.saga].items())]
            return Release(reservation_id=command.saga, items=items)
        assert isinstance(command.payload, Hold)
        self.held[command.saga] = {item.sku: item.quantity for item in command.payload.items}
        return Reservation(reservation_id=command.saga, items=command.payload.items)

    def nothing_to_undo(self, command: Command) -> BaseModel:
        return Release(reservation_id=command.saga, items=[])

    async def audit(self, connection: Admin) -> None:
        query = "SELECT sku, reserved FROM inventory.stock WHERE sku = ANY($1)"
        stock = _rows(await connection.fetch(query, list(self.on_hand)))
        expected = {(sku, self._reserved(sku)) for sku in self.on_hand}
        require(stock == expected, "the stock is not what the answers say:", stock, expected)
        query = "SELECT order_id, sku, reserved, released FROM inventory.reservations WHERE order_id = ANY($1)"
        reservations = _rows(await connection.fetch(query, self.sagas))
        expected_rows = {
            (saga, sku, count, count if saga in self.released else 0)
            for saga, items in self.held.items()
            for sku, count in items.items()
        }
        require(reservations == expected_rows, "the reservations are wrong:", reservations, expected_rows)


@dataclass(slots=True)
class Shipping(Books):
    """Parcels, one of which no carrier takes."""

    schema: str = "shipping"
    branches: tuple[Branch, ...] = (SHIPMENT,)
    sagas: tuple[str, ...] = field(default_factory=lambda: fresh("order", 2))
    keeps: frozenset[str] = frozenset({"ADDRESS_UNSERVICEABLE"})
    shipped: dict[str, Parcel] = field(default_factory=dict)
    called_back: set[str] = field(default_factory=set)

    async def open(self, connection: Admin) -> None:
        """Nothing is needed before."""

    def payloads(self, _branch: Branch) -> list[BaseModel]:
        def parcel(quantity: int, country: str) -> Parcel:
            items = [{"sku": "MOUSE", "quantity": quantity}]
            return Parcel.model_validate({"items": items, "shipTo": {**ADDRESS, "country": country}})

        return [parcel(1, "DE"), parcel(2, "DE"), parcel(1, "AQ")]

    def refusals(self, command: Command) -> set[str]:
        assert isinstance(command.payload, Parcel)
        return {"ADDRESS_UNSERVICEABLE" if command.payload.ship_to.country == "AQ" else ""}

    def take_effect(self, command: Command) -> BaseModel | None:
        if command.is_undo:
            self.called_back.add(command.saga)
            return ShipmentCancellation(shipment_id=command.saga)
        assert isinstance(command.payload, Parcel)
        self.shipped[command.saga] = command.payload
        return None  # Its tracking code is anew each time: only a repeat can be foretold.

    def nothing_to_undo(self, command: Command) -> BaseModel:
        return ShipmentCancellation(shipment_id=command.saga)

    async def audit(self, connection: Admin) -> None:
        query = (
            "SELECT order_id, quantity, cancelled, tracking_code FROM shipping.shipments JOIN shipping.shipment_items "
            "USING (order_id) WHERE order_id = ANY($1)"
        )
        found = await connection.fetch(query, self.sagas)
        rows = {(row["order_id"], row["quantity"], row["cancelled"]) for row in found}
        expected = {(saga, parcel.items[0].quantity, saga in self.called_back) for saga, parcel in self.shipped.items()}
        require(rows == expected, "the shipments are wrong:", rows, expected)
        for row in found:
            answer = self.done[row["order_id"], SHIPMENT.name].answer.body
            require(row["tracking_code"].encode() in answer, "a tracking code that nobody was told")


@dataclass(slots=True)
class Orders(Books):
    """One order, wanted by two process instances, dispatched and cancelled at once."""

    schema: str = "orders"
    branches: tuple[Branch, ...] = (ORDER, DISPATCH, CANCELLATION)
    sagas: tuple[str, ...] = field(default_factory=lambda: fresh("order", 1))
    keeps: frozenset[str] = frozenset({"ORDER_CANCELLED"})
    claimants: dict[str, str] = field(default_factory=dict)
    status: dict[str, Status] = field(default_factory=dict)
    decided: dict[str, str] = field(default_factory=dict)

    async def open(self, connection: Admin) -> None:
        """The catalogue is there."""

    def payloads(self, branch: Branch) -> list[BaseModel]:
        if branch is not ORDER:
            return [Nothing()]

        def order(claimant: str, sku: str, quantity: int) -> NewOrder:
            items = [{"sku": sku, "quantity": quantity}]
            return NewOrder.model_validate({"claimant": claimant, "customerId": "c-1", "items": items})

        return [order("1", "MOUSE", 1), order("1", "MOUSE", 2), order("2", "MOUSE", 1), order("1", "PERPETUUM", 1)]

    def guard(self, command: Command) -> str:
        if command.branch is not ORDER:
            return ""
        assert isinstance(command.payload, NewOrder)
        holder = self.claimants.get(command.saga, command.payload.claimant)
        return "" if holder == command.payload.claimant else "ORDER_DUPLICATE"

    def refusals(self, command: Command) -> set[str]:
        if command.branch is ORDER:
            assert isinstance(command.payload, NewOrder)
            return {"ORDER_INVALID" if command.payload.items[0].sku == "PERPETUUM" else ""}
        if command.branch is CANCELLATION:
            return {""}
        status = self.status.get(command.saga)
        if self.decided.get(command.saga) == CANCELLATION.name or status is Status.CANCELLED:
            return {"ORDER_CANCELLED"}
        return {"" if status else "ORDER_NOT_FOUND"}

    def take_effect(self, command: Command) -> BaseModel:
        saga = command.saga
        if command.branch is CANCELLATION:
            first = self.decided.setdefault(saga, CANCELLATION.name)
            return Cancellation(order_id=saga, accepted=first == CANCELLATION.name)
        if command.branch is DISPATCH:
            self.decided[saga] = DISPATCH.name
            self.status[saga] = Status.SHIPPING
            return Progress(order_id=saga, status=Status.SHIPPING)
        if command.is_undo:
            self.status[saga] = Status.CANCELLED
            return Progress(order_id=saga, status=Status.CANCELLED)
        assert isinstance(command.payload, NewOrder)
        self.claimants[saga] = command.payload.claimant
        self.status[saga] = Status.ACCEPTED
        total = command.payload.items[0].quantity * _MOUSE
        return Acceptance(order_id=saga, total=Money(amount=total), status=Status.ACCEPTED)

    def nothing_to_undo(self, command: Command) -> BaseModel:
        return Progress(order_id=command.saga, status=Status.CANCELLED)

    async def audit(self, connection: Admin) -> None:
        tables = {"claims": "claimant", "orders": "status", "decisions": "decision"}
        for (table, column), expected in zip(tables.items(), (self.claimants, self.status, self.decided), strict=True):
            query = f"SELECT order_id, {column} FROM orders.{table} WHERE order_id = ANY($1)"  # noqa: S608 - our names
            rows = {row["order_id"]: row[column] for row in await connection.fetch(query, self.sagas)}
            require(rows == expected, f"{table} are wrong:", rows, expected)


_MOUSE = 2490
"""The price of a mouse in the catalogue, in cents."""
