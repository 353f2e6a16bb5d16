"""What a user of the trip does with the tools; `test_trip` runs this in a checkout that has the trip."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pyzeebe import ZeebeClient

import services
from saga.clients.addresses import Addresses
from saga.clients.instances import Instances
from saga.common.tokens import Tokens
from saga.stack import stack as embedded
from tests.proxy import HoldingProxy
from tests.stack import Result, Stack, free_port
from tests.standing import Standing
from tests.world import World, eventually

Trip = dict[str, Any]
NewOrder = Callable[..., dict[str, Any]]
_NUMBERS = itertools.count(1)
_BOOKED = """
SELECT (SELECT cancelled FROM travel.flights WHERE trip_id = $1) AS flight,
       (SELECT cancelled FROM travel.hotels WHERE trip_id = $1) AS hotel
"""
BOOKED, UNDONE = {"flight": False, "hotel": False}, {"flight": True, "hotel": True}
"""Whether each booking is cancelled."""


@pytest.fixture(scope="session")
def travel() -> HoldingProxy:
    """The way from the workers to the travel service."""
    return HoldingProxy(free_port())


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, travel: HoldingProxy) -> Iterator[Stack]:
    """The stack of both processes; its reconciler leaves effects to the commands."""
    own = {"SAGA_ENGINE_VALUES": "1", "RECONCILER_INTERVAL": "3600", "TRAVEL_URL": travel.url, "WORKER_LEASE": "4"}
    stack = Stack(tmp_path_factory.mktemp("saga"), own)
    travel.start(f"http://127.0.0.1:{services.PORTS['travel'] + stack.offset}")
    try:
        started = stack.saga("up", "--detach")
        assert started.status == 0, started.output + started.errors
        assert "deployed trip version 1" in started.output
        yield stack
    finally:
        stack.saga("down", "--delete-data")
        travel.stop()


def new_trip(**changes: object) -> Trip:
    return {"tripId": f"trip-{next(_NUMBERS)}", "flight": "LH4711", "nights": 2, **changes}


async def saga(stack: Stack, *arguments: str, stdin: str = "", status: int = 0) -> Result:
    """Run a command, and check how it ends."""
    done = await asyncio.to_thread(stack.saga, *arguments, stdin=stdin)
    assert done.status == status, done.output + done.errors
    return done


async def bookings(world: World, trip: Trip) -> dict[str, bool | None]:
    """Return of each booking whether it is cancelled; None where there never was one."""
    [row] = await world.fetch(_BOOKED, trip["tripId"])
    return row


async def sees_one_start(world: World, instances: Instances, trip: Trip) -> None:
    """Wait for the trip's end; check that it has one instance, and that each booking was made once."""
    await eventually(lambda: bookings(world, trip), lambda now: now == BOOKED)
    [instance] = await eventually(lambda: instances.with_variable("tripId", trip["tripId"]), bool)
    ends = [node.name for node in await instances.path(instance.key) if node.type == "END_EVENT"]
    assert ends == ["Trip booked"]
    assert [each.key for each in await instances.with_variable("tripId", trip["tripId"])] == [instance.key]
    done = await world.fetch(
        "SELECT event ->> 'type' AS type FROM travel.outbox WHERE event ->> 'subject' = $1", trip["tripId"]
    )
    assert len(done) == 2, done


async def booked(stack: Stack, world: World) -> Trip:
    """Carry a trip out and return it."""
    trip = new_trip()
    done = await saga(stack, "start", "-", "--wait", stdin=json.dumps(trip))
    assert f"Trip {trip['tripId']}: booked" in done.output
    assert await bookings(world, trip) == BOOKED
    return trip


@asynccontextmanager
async def at_the_hotel(
    engine: ZeebeClient, instances: Instances, travel: HoldingProxy
) -> AsyncIterator[tuple[Trip, int]]:
    """Start a trip whose hotel is booked and does not answer; yield it with its instance."""
    trip = new_trip()
    with travel.hold_replies("PUT", f"/hotels/{trip['tripId']}") as held:
        started = await engine.run_process("trip", trip)
        await asyncio.to_thread(held.wait_until_applied)
        await eventually(lambda: instances.has_active("tripId", trip["tripId"]), bool)
        yield trip, started.process_instance_key


async def test_the_diagrams_of_both_are_deployed_and_no_task_is_without_a_worker(stack: Stack) -> None:
    done = await saga(stack, "deploy")
    assert {line.split()[1] for line in done.output.splitlines()} >= {"trip", "order-fulfillment", "settle-by-hand"}
    assert done.errors == ""


async def test_a_trip_is_carried_out_and_an_order_beside_it(stack: Stack, world: World, new_order: NewOrder) -> None:
    await booked(stack, world)
    order = new_order()
    done = await saga(stack, "start", "-", "--wait", stdin=json.dumps(order))
    assert f"Order {order['orderId']}: fulfilled" in done.output
    effects = await world.effects(order["orderId"])
    assert (effects.shipped, effects.refunded) == (3, 0)


async def test_what_is_started_is_told_by_its_key_and_checked_by_its_own_model(stack: Stack) -> None:
    wrong = await saga(stack, "start", "-", stdin=json.dumps(new_trip(nights=0, flight="secret")), status=2)
    assert "is no trip" in wrong.errors
    assert "nights: " in wrong.errors
    assert "secret" not in wrong.errors
    neither = await saga(stack, "start", "-", stdin="{}", status=2)
    assert "none of the variables orderId (order-fulfillment), tripId (trip): name its process" in neither.errors
    named = await saga(stack, "start", "-", "--process", "trip", stdin="{}", status=2)
    assert "tripId: Field required" in named.errors


async def test_a_trip_is_started_once_by_its_message(stack: Stack, world: World, instances: Instances) -> None:
    trip = new_trip()
    placed = await saga(stack, "start", "-", "--message", stdin=json.dumps(trip))
    assert f"Trip {trip['tripId']}: TripBooked is published." in placed.output
    again = await saga(stack, "start", "-", "--message", stdin=json.dumps(trip), status=1)
    assert f"Trip {trip['tripId']} was placed before" in again.errors
    await sees_one_start(world, instances, trip)


async def test_a_trip_that_is_booked_at_the_service_is_started_once_by_the_reconciler(
    stack: Stack, world: World, instances: Instances, addresses: Addresses
) -> None:
    trip = new_trip()

    async def published() -> bool:
        [row] = await world.fetch("SELECT published FROM travel.trips WHERE trip_id = $1", trip["tripId"])
        return bool(row["published"])

    token = Tokens({"TOKENS": str(embedded.Stack(stack.offset).tokens)}).authorization("book-trip")
    async with httpx.AsyncClient(base_url=addresses.service("travel"), headers=token, timeout=20) as http:
        assert [(await http.post("/trips", json=trip)).status_code for _ in range(2)] == [202, 202]
        other = await http.post("/trips", json={**trip, "nights": 3})
        assert (other.status_code, other.json()["code"]) == (422, "TRIP_ID_REUSED")
    await eventually(published, bool)
    # As if the reconciler had died after it published the trip and before it marked it.
    await world.fetch("UPDATE travel.trips SET published = false WHERE trip_id = $1", trip["tripId"])
    await eventually(published, bool)
    await sees_one_start(world, instances, trip)


async def test_a_refused_trip_is_compensated(stack: Stack, world: World, instances: Instances) -> None:
    trip = new_trip(nights=11)
    done = await saga(stack, "start", "-", "--wait", stdin=json.dumps(trip))
    assert f"Trip {trip['tripId']}: cancelled (NO_ROOM: " in done.output
    assert await bookings(world, trip) == {"flight": True, "hotel": None}
    [instance] = await eventually(lambda: instances.with_variable("tripId", trip["tripId"]), bool)
    assert [node.name for node in await instances.path(instance.key) if node.type == "SERVICE_TASK"] == [
        *("Book flight", "Book hotel", "Cancel flight")
    ]


async def test_an_incident_of_a_trip_is_listed_explained_and_retried(
    stack: Stack, world: World, engine: ZeebeClient, instances: Instances, standing: Standing
) -> None:
    trip = new_trip(nights="many")
    started = await engine.run_process("trip", trip)
    of_trip = ("--order", trip["tripId"])

    async def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((await saga(stack, "incidents", *of_trip, "--json")).output)
        return found

    [incident] = await eventually(listed, bool)
    assert (incident["order"], incident["processId"], incident["element"]) == (trip["tripId"], "trip", "Book hotel")
    explained = (await saga(stack, "incidents", "explain", trip["tripId"])).output
    assert [line.split() for line in explained.splitlines() if line.startswith("trip ")] == [["trip", trip["tripId"]]]
    assert f"To retry: saga incidents retry --order {trip['tripId']}" in explained
    await standing.set(started.process_instance_key, nights=3)
    retried = await saga(stack, "incidents", "retry", *of_trip, "--yes", "--count", "1")
    assert "resolved" in retried.output
    await eventually(lambda: bookings(world, trip), lambda now: now == BOOKED)
    await instances.path(started.process_instance_key)
    assert "has ended: booked" in (await saga(stack, "incidents", "explain", trip["tripId"])).output


async def test_a_trip_is_cancelled_by_its_id(
    stack: Stack, world: World, engine: ZeebeClient, instances: Instances, travel: HoldingProxy
) -> None:
    async with at_the_hotel(engine, instances, travel) as (trip, instance):
        done = await saga(stack, "cancel", trip["tripId"], "--reason", "no time", "--yes")
        assert f"Instance {instance} has ended, compensated." in done.output
        assert await bookings(world, trip) == UNDONE
    unknown = await saga(stack, "cancel", "trip-0", "--reason", "no time", "--yes", status=2)
    assert "The cluster knows no order or trip trip-0" in unknown.errors


async def test_an_instance_of_a_trip_is_compensated(
    stack: Stack, world: World, engine: ZeebeClient, instances: Instances, travel: HoldingProxy
) -> None:
    async with at_the_hotel(engine, instances, travel) as (trip, instance):
        done = await saga(stack, "compensate", str(instance), "--yes")
        assert f"Instance {instance} has ended, compensated." in done.output
        assert await bookings(world, trip) == UNDONE
    shown = await instances.get(instance)
    assert shown is not None
    assert shown.state == "COMPLETED"


async def test_what_a_cancelled_instance_left_behind_is_undone_at_the_trips_participant(
    stack: Stack, world: World, engine: ZeebeClient, instances: Instances, travel: HoldingProxy
) -> None:
    async with at_the_hotel(engine, instances, travel) as (trip, instance):
        await engine.cancel_process_instance(instance)
        await eventually(lambda: instances.has_active("tripId", trip["tripId"]), lambda alive: not alive)
        assert await bookings(world, trip) == BOOKED
        arguments = ("reconcile", "--order", trip["tripId"], "--older-than", "0", "--yes")
        report = json.loads((await saga(stack, *arguments, "--json")).output)
        assert {line["branch"]: (line["verdict"], line["done"]) for line in report["findings"]} == {
            "flight": ("undo", True),
            "hotel": ("undo", True),
        }
        assert await bookings(world, trip) == UNDONE
    again = json.loads((await saga(stack, *arguments, "--json")).output)
    assert again["findings"] == []


async def test_an_answer_that_comes_too_late_has_the_reconciler_look_at_the_trip_at_once(
    world: World, engine: ZeebeClient, instances: Instances, travel: HoldingProxy
) -> None:
    async with at_the_hotel(engine, instances, travel) as (trip, instance):
        await engine.cancel_process_instance(instance)
        assert await bookings(world, trip) == BOOKED
    await eventually(lambda: bookings(world, trip), lambda now: now == UNDONE)


async def test_a_person_decides_about_an_effect_of_a_trip(stack: Stack, world: World) -> None:
    trip = await booked(stack, world)
    await world.fetch("UPDATE travel.barrier SET origin = NULL, settlement = NULL WHERE saga_id = $1", trip["tripId"])
    asked = await saga(stack, "reconcile", "--order", trip["tripId"], "--older-than", "0", "--yes", "--json")
    assert json.loads(asked.output)["waiting"]["effects"] == 2

    async def keys() -> dict[str, str]:
        """Return the key of each task of the trip, by the branch that it is about."""
        open_ = json.loads((await saga(stack, "tasks", "--json")).output)
        shown = {str(task["key"]): (await saga(stack, "tasks", "show", str(task["key"]))).output for task in open_}
        return {
            branch: key
            for key, text in shown.items()
            for branch in ("flight", "hotel")
            if f"Trip {trip['tripId']}" in text and f"book-{branch}" in text
        }

    found = await eventually(keys, lambda seen: len(seen) == 2)
    await saga(stack, "tasks", "answer", found["flight"], "--set", "decision=undo", "--yes")
    await saga(stack, "tasks", "answer", found["hotel"], "--set", "decision=keep", "--yes")
    await eventually(lambda: bookings(world, trip), lambda now: now == {"flight": True, "hotel": False})


async def test_purge_forgets_a_trip_that_has_ended_and_not_one_that_runs(
    stack: Stack, world: World, engine: ZeebeClient, instances: Instances, travel: HoldingProxy
) -> None:
    ended = await booked(stack, world)
    async with at_the_hotel(engine, instances, travel) as (running, instance):
        await world.fetch(
            "UPDATE travel.barrier SET created_at = created_at - interval '401 days', "
            "settlement = CASE op WHEN 'do' THEN coalesce(settlement, 'kept') END WHERE saga_id = ANY($1)",
            [ended["tripId"], running["tripId"]],
        )
        done = await saga(stack, "purge", "--yes", "--json")
        verdicts = {line["saga"]: line["verdict"] for line in json.loads(done.output)}
        assert verdicts == {ended["tripId"]: "forgotten", running["tripId"]: "live"}
        left = await world.fetch("SELECT DISTINCT saga_id FROM travel.barrier WHERE saga_id = ANY($1)", [*verdicts])
        assert [row["saga_id"] for row in left] == [running["tripId"]]
    await instances.path(instance)
    assert await bookings(world, running) == BOOKED


async def test_orders_go_on_beside_it_and_are_cancelled_as_before(
    stack: Stack, world: World, new_order: NewOrder
) -> None:
    order = new_order("payment-declined")
    done = await saga(stack, "start", "-", "--wait", stdin=json.dumps(order))
    assert f"Order {order['orderId']}: cancelled (PAYMENT_DECLINED: " in done.output
    effects = await world.effects(order["orderId"])
    assert (effects.reserved, effects.released, effects.status) == (3, 3, "cancelled")
    late = await saga(stack, "cancel", order["orderId"], "--reason", "too late", "--yes", status=1)
    assert f"Order {order['orderId']} cannot be cancelled" in late.errors
