"""`saga cancel`: whatever an order is busy with, what it has done is undone in order, and its instance ends."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyzeebe import ZeebeClient

from saga.clients.addresses import Addresses
from saga.clients.instances import Instances
from saga.kit.gateway.connection import open_channel, stub
from saga.operations.compensate.compensator import CODE, Compensator
from saga.operations.compensate.view import NothingToUndo
from saga.operations.reconcile.parts import parts
from saga.stack import stack as embedded
from tests.at_once import at_once
from tests.process.desk import PAYMENT, REASON, STEPS, Desk, Ways
from tests.process.test_paths import ACCEPTED, CANCELLED, CHARGED, DISPATCHED, REFUNDED, RELEASED, RESERVED, SHIPPED
from tests.searches import LAGS, LaggingSearches, log_of, searching
from tests.stack import ROOT, Stack
from tests.world import World, eventually

NewOrder = Callable[..., dict[str, Any]]
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module", params=LAGS)
async def desk(
    request: pytest.FixtureRequest, stack: Stack, engine: ZeebeClient, world: World, ways: Ways
) -> AsyncIterator[Desk]:
    """A desk at which the searches show everything at once, and one at which they lag."""
    async with (
        searching(stack, request.param) as (own, addresses),
        Instances.at(addresses) as instances,
        open_channel(addresses.engine) as channel,
    ):
        yield Desk(own, engine, stub(channel), instances, world, ways)


async def test_an_order_is_cancelled_while_a_step_that_has_had_its_effect_is_in_flight(
    desk: Desk, new_order: NewOrder
) -> None:
    async def cancelled(name: str) -> None:
        step, order = STEPS[name], new_order()
        order_id = order["orderId"]
        with desk.hold(step, order_id) as held:
            instance = await desk.start(order)
            await asyncio.to_thread(held.wait_until_applied)
            await desk.shows(instance, step.element)
            done = await desk.cancel(order_id)
            assert done.status == 0, done.output + done.errors
        undone = ", ".join(each.removesuffix(".undone") for each in step.undone)
        assert f"Undone, in this order: {undone}" in done.output
        await desk.is_cancelled(order_id, instance, step)

    await at_once(cancelled, STEPS)


async def test_an_order_is_cancelled_while_a_step_that_comes_too_late_for_its_effect_is_in_flight(
    desk: Desk, new_order: NewOrder
) -> None:
    async def cancelled(name: str) -> None:
        step, order = STEPS[name], new_order()
        order_id = order["orderId"]
        with desk.ways[step.participant].hold_request("PUT", step.path.format(order_id)) as late:
            instance = await desk.start(order)
            await asyncio.to_thread(late.wait_until_it_came)
            await desk.shows(instance, step.element)
            done = await desk.cancel(order_id)
            assert done.status == 0, done.output + done.errors
            assert await asyncio.to_thread(late.release) == 409, "what was undone is never done"
        await desk.is_cancelled(order_id, instance, step)

    await at_once(cancelled, STEPS)


async def test_an_order_is_cancelled_at_an_incident(desk: Desk, new_order: NewOrder) -> None:
    async def cancelled(name: str) -> None:
        step, order = STEPS[name], new_order()
        instance = await desk.stuck(step, order)
        done = await desk.saga("compensate", str(instance), "--reason", REASON, "--yes")
        assert done.status == 0, done.output + done.errors
        await desk.is_cancelled(order["orderId"], instance, step)

    await at_once(cancelled, STEPS)


async def test_an_order_is_cancelled_at_an_incident_of_a_step_that_never_ran(desk: Desk, new_order: NewOrder) -> None:
    order = new_order()
    order_id = order["orderId"]
    with desk.hold(STEPS["reserve"], order_id) as held:
        instance = await desk.start(order)
        await asyncio.to_thread(held.wait_until_applied)
        await desk.change(instance, card=None)
    await desk.shows(instance, PAYMENT.element, incident=True)
    done = await desk.cancel(order_id)
    assert done.status == 0, done.output + done.errors
    await desk.is_cancelled(order_id, instance, PAYMENT)
    assert CHARGED not in await desk.world.events(order_id)


async def test_an_order_that_has_moved_on_unseen_is_left_alone(
    stack: Stack,
    engine: ZeebeClient,
    world: World,
    ways: Ways,
    new_order: NewOrder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = new_order()
    order_id = order["orderId"]
    addresses = Addresses.of(stack.offset)
    monkeypatch.setenv("TOKENS", str(embedded.Stack(stack.offset).tokens))
    async with (
        LaggingSearches(log_of(stack), addresses.rest or "") as searches,
        # What the commands are made of, without the second that a process takes to start.
        parts(replace(addresses, rest=searches.url)) as own,
    ):
        desk = Desk(stack, engine, stub(own.channel), own.instances, world, ways)
        compensator = Compensator(own.instances, desk.broker, own.sagas, own.ledgers)
        with desk.hold(PAYMENT, order_id) as held:
            instance = await desk.start(order)
            await asyncio.to_thread(held.wait_until_applied)
            await desk.shows(instance, PAYMENT.element)
            searches.hold()
        await eventually(lambda: desk.world.effects(order_id), lambda effects: effects.shipped == 3)
        behind = [node.element_id for node in await desk.instances.elements(instance) if node.state == "ACTIVE"]
        assert behind == [PAYMENT.element], "the cluster has yet to show it"
        searches.looks.clear()
        compensating = asyncio.create_task(compensator.compensate(instance, REASON))
        # It looks once more because the broker has refused what it made of the first look.
        await eventually(partial(_looks, searches), lambda looks: looks >= 2 or compensating.done())
        assert not compensating.done()
        searches.release()
        with pytest.raises(NothingToUndo, match=f"Instance {instance} has ended: "):
            await compensating
    assert await desk.world.events(order_id) == [ACCEPTED, RESERVED, CHARGED, DISPATCHED, SHIPPED]


async def _looks(searches: LaggingSearches) -> int:
    return searches.looks["/v2/element-instances/search"]


async def test_two_operators_who_cancel_at_once_undo_once(desk: Desk, new_order: NewOrder) -> None:
    order = new_order()
    order_id = order["orderId"]
    cancel = ("cancel", order_id, "--reason", REASON, "--yes")
    instance = await desk.stuck(PAYMENT, order)
    with (
        desk.ways["inventory"].hold_replies("DELETE", f"/reservations/{order_id}") as undo,
        desk.running(*cancel) as one,
        desk.running(*cancel) as other,
    ):
        said = await asyncio.gather(*(asyncio.to_thread(each.stdout.readline) for each in (one, other) if each.stdout))
        assert all(line.startswith(f"Instance {instance}: ") for line in said), said
        undo.release()
        assert [await asyncio.to_thread(each.wait, 60) for each in (one, other)] == [0, 0]
    await desk.is_cancelled(order_id, instance, PAYMENT)


async def test_an_operator_and_the_customer_cancel_at_once(desk: Desk, new_order: NewOrder) -> None:
    order = new_order()
    order_id = order["orderId"]
    recorded = desk.ways["orders"].hold_replies("PUT", f"/orders/{order_id}/cancellation")
    with desk.hold(PAYMENT, order_id) as held, recorded as wish:
        instance = await desk.start(order)
        await asyncio.to_thread(held.wait_until_applied)
        await desk.engine.publish_message("CancelOrder", order_id)
        await asyncio.to_thread(wish.wait_until_applied)
        await desk.shows(instance, "Task_RecordCancellation")
        done = await desk.cancel(order_id)
        assert done.status == 0, done.output + done.errors
    await desk.is_cancelled(order_id, instance, PAYMENT)
    (record,) = [each for each in await desk.instances.path(instance) if each.element_id == "Task_RecordCancellation"]
    assert record.state == "TERMINATED", "it was not waited for"


async def test_an_order_whose_command_was_killed_is_undone_all_the_same(desk: Desk, new_order: NewOrder) -> None:
    order = new_order()
    order_id = order["orderId"]
    instance = await desk.stuck(PAYMENT, order)
    with (
        desk.ways["payment"].hold_replies("DELETE", f"/payments/{order_id}") as undo,
        desk.running("cancel", order_id, "--reason", REASON, "--yes") as command,
    ):
        await asyncio.to_thread(undo.wait_until_applied)
        command.send_signal(signal.SIGKILL)
        await asyncio.to_thread(command.wait)
    await desk.is_cancelled(order_id, instance, PAYMENT)


async def test_an_undo_that_gets_no_answer_is_tried_again_and_waited_for(desk: Desk, new_order: NewOrder) -> None:
    order = new_order()
    path = f"/payments/{order['orderId']}"
    instance = await desk.stuck(PAYMENT, order)

    async def tries() -> int:
        return desk.ways["payment"].keys(path).count(f'"{order["orderId"]}/refund-payment"')

    with desk.running("cancel", order["orderId"], "--reason", REASON, "--yes") as command:
        with desk.ways["payment"].turning_away("DELETE", path):
            await eventually(tries, lambda count: count >= 2)
            assert CANCELLED not in await desk.world.events(order["orderId"]), "the steps before wait for it"
        assert await asyncio.to_thread(command.wait, 60) == 0
    await desk.is_cancelled(order["orderId"], instance, PAYMENT)


async def test_where_a_participant_is_away_nothing_is_done_and_the_next_run_does_it(
    desk: Desk, new_order: NewOrder
) -> None:
    order = new_order()
    order_id = order["orderId"]
    instance = await desk.stuck(PAYMENT, order)
    before = await desk.world.events(order_id)
    done = await desk.cancel(order_id, PAYMENT_URL=NOBODY)
    assert done.status == 1
    assert "refund-payment cannot be done now, so nothing was changed. payment at" in done.errors
    assert await desk.world.events(order_id) == before
    await desk.shows(instance, PAYMENT.element, incident=True)
    assert (await desk.cancel(order_id)).status == 0
    await desk.is_cancelled(order_id, instance, PAYMENT)


async def test_an_undo_that_stops_at_an_incident_is_told_and_the_next_run_does_it(
    desk: Desk, new_order: NewOrder
) -> None:
    order = new_order()
    instance = await desk.stuck(PAYMENT, order)
    await desk.change(instance, orderId=["no", "text"])
    compensate = ("compensate", str(instance), "--reason", REASON, "--yes")
    done = await desk.saga(*compensate)
    assert done.status == 1
    assert "it is busy with Process payment" in done.errors
    assert "incident: refund-payment cannot read its variables. orderId: " in done.errors
    assert CANCELLED not in await desk.world.events(order["orderId"])
    await desk.change(instance, orderId=order["orderId"])
    again = await desk.saga(*compensate)
    assert again.status == 0, again.output + again.errors
    await desk.is_cancelled(order["orderId"], instance, PAYMENT)


async def test_an_instance_that_lost_the_claim_is_named_and_takes_nothing_with_it(
    desk: Desk, new_order: NewOrder
) -> None:
    order = new_order()
    order_id = order["orderId"]
    holder = await desk.stuck(PAYMENT, order)
    before = await desk.world.events(order_id)
    with desk.ways["orders"].hold_request("PUT", f"/orders/{order_id}") as late:
        loser = await desk.start(order)
        await asyncio.to_thread(late.wait_until_it_came)
        await desk.shows(loser, "Task_AcceptOrder")
        alone = await desk.saga("compensate", str(loser), "--yes")
        assert (alone.status, await desk.world.events(order_id)) == (1, before)
        said = (
            f"Instance {loser} has done nothing that could be undone: accept-order of {order_id} was done for instance"
        )
        assert f"{said} {holder}." in alone.errors
        done = await desk.cancel(order_id)
        assert done.status == 0, done.output + done.errors
        assert f"{said} {holder}." in done.output
    await desk.is_cancelled(order_id, holder, PAYMENT)
    ends = [node.name for node in await desk.instances.path(loser) if node.type == "END_EVENT"]
    assert ends == ["Duplicate order ignored"]


@pytest.mark.parametrize("settlement", [None, "kept", "asked"])
async def test_an_order_that_was_fulfilled_is_not_cancelled_by_a_second_instance_of_it(
    desk: Desk, new_order: NewOrder, settlement: str | None
) -> None:
    order = new_order()
    order_id = order["orderId"]
    fulfilled = await desk.engine.run_process_with_result("order-fulfillment", order)
    before = await desk.world.effects(order_id)
    await desk.instances.path(fulfilled.process_instance_key)
    with desk.ways["orders"].hold_request("PUT", f"/orders/{order_id}") as late:
        second = await desk.start(order)
        await asyncio.to_thread(late.wait_until_it_came)
        await desk.shows(second, "Task_AcceptOrder")
        await desk.world.fetch("UPDATE orders.barrier SET settlement = $2 WHERE saga_id = $1", order_id, settlement)
        done = await desk.cancel(order_id)
    assert done.status == 1
    assert f"Instance {fulfilled.process_instance_key} has ended: fulfilled." in done.output
    assert f"Instance {second} has done nothing that could be undone" in done.output
    assert f"Order {order_id} cannot be cancelled: no instance of it has anything to undo." in done.errors
    assert await desk.world.effects(order_id) == before


async def test_an_order_past_its_end_is_not_cancelled_while_it_still_records_a_wish(
    desk: Desk, new_order: NewOrder
) -> None:
    order = new_order()
    order_id = order["orderId"]
    with desk.ways["orders"].hold_request("PUT", f"/orders/{order_id}/cancellation") as wish:
        with desk.hold(PAYMENT, order_id) as held:
            instance = await desk.start(order)
            await asyncio.to_thread(held.wait_until_applied)
            await desk.engine.publish_message("CancelOrder", order_id)
            await asyncio.to_thread(wish.wait_until_it_came)
        await eventually(lambda: desk.world.effects(order_id), lambda effects: effects.shipped == 3)
        await desk.shows(instance, "Task_RecordCancellation")
        done = await desk.cancel(order_id)
    assert done.status == 1
    assert f"Instance {instance} has come to its end and cannot be compensated; only Customer cancels" in done.output
    effects = await desk.world.effects(order_id)
    assert (effects.shipped, effects.refunded, effects.status) == (3, 0, "shipping")


async def test_an_order_that_is_being_undone_is_left_to_it_and_followed(desk: Desk, new_order: NewOrder) -> None:
    order = new_order("address-unserviceable")
    order_id = order["orderId"]
    with desk.ways["payment"].hold_replies("DELETE", f"/payments/{order_id}") as undo:
        instance = await desk.start(order)
        await asyncio.to_thread(undo.wait_until_applied)
        await desk.shows(instance, "SubProcess_UndoTheOrder")
        with desk.running("cancel", order_id, "--reason", REASON, "--yes") as command:
            assert command.stdout is not None
            said = await asyncio.to_thread(command.stdout.readline)
            assert said == f"Instance {instance}: it is being undone already.\n"
            undo.release()
            assert await asyncio.to_thread(command.wait, 60) == 0
    refusal = await desk.instances.variable(instance, "refusal")
    assert refusal["code"] == "ADDRESS_UNSERVICEABLE"
    assert (await desk.world.events(order_id))[-3:] == [REFUNDED, RELEASED, CANCELLED]


async def test_an_order_that_has_ended_is_told_with_how(desk: Desk, new_order: NewOrder) -> None:
    order = new_order("payment-declined")
    ended = await desk.engine.run_process_with_result("order-fulfillment", order)
    await desk.instances.path(ended.process_instance_key)
    before = await desk.world.events(order["orderId"])
    done = await desk.cancel(order["orderId"])
    assert done.status == 1
    how = f"Instance {ended.process_instance_key} has ended: cancelled (PAYMENT_DECLINED: The card was declined.)."
    assert how in done.output
    assert await desk.world.events(order["orderId"]) == before


async def test_an_order_that_ends_in_another_way_meanwhile_is_told(desk: Desk, new_order: NewOrder) -> None:
    order = new_order()
    order_id = order["orderId"]
    instance = await desk.stuck(PAYMENT, order)
    with (
        desk.ways["payment"].hold_replies("DELETE", f"/payments/{order_id}") as undo,
        desk.running("cancel", order_id, "--reason", REASON, "--yes") as command,
    ):
        await asyncio.to_thread(undo.wait_until_applied)
        await desk.engine.cancel_process_instance(instance)
        _, errors = await asyncio.to_thread(command.communicate)
    assert command.returncode == 1
    assert f"Instance {instance} has ended, and not on its compensation path: cancelled in the engine" in errors


async def test_a_step_that_nobody_works_on_is_passed_over(desk: Desk, new_order: NewOrder, tmp_path: Path) -> None:
    diagram = (ROOT / "bpmn" / "order-fulfillment.bpmn").read_text()
    for name, other in {
        "order-fulfillment": "orders-by-hand",
        '"process-payment"': '"charge-by-hand"',
        "OrderPlaced": "OrderPlacedByHand",
        'name="CancelOrder"': 'name="CancelOrderByHand"',
    }.items():
        diagram = diagram.replace(name, other)
    instance = await deployed(desk, tmp_path, diagram, "orders-by-hand", order := new_order())
    await desk.shows(instance, PAYMENT.element)
    done = await desk.saga("compensate", str(instance), "--reason", REASON, "--yes")
    assert done.status == 0, done.output + done.errors
    assert [node.name for node in await desk.instances.path(instance) if node.type == "END_EVENT"] == [
        "Order cancelled"
    ]
    refusal = {"code": CODE, "message": REASON}
    await eventually(lambda: desk.instances.variable(instance, "refusal"), lambda seen: seen == refusal, 10)
    assert await desk.world.events(order["orderId"]) == [ACCEPTED, RESERVED, RELEASED, CANCELLED]


NO_WAY_BACK = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"
             targetNamespace="test">
  <process id="no-way-back" isExecutable="true">
    <startEvent id="Start" />
    <sequenceFlow id="Flow" sourceRef="Start" targetRef="Task_Wait" />
    <serviceTask id="Task_Wait" name="Wait">
      <extensionElements><zeebe:taskDefinition type="nobody-works-on-it" /></extensionElements>
    </serviceTask>
  </process>
</definitions>
"""


async def test_a_process_without_a_compensation_path_is_told_and_left_alone(desk: Desk, tmp_path: Path) -> None:
    instance = await deployed(desk, tmp_path, NO_WAY_BACK, "no-way-back", {})
    await desk.shows(instance, "Task_Wait")
    done = await desk.saga("compensate", str(instance), "--yes")
    assert done.status == 1
    assert f"The process no-way-back of instance {instance} has no compensation path" in done.errors
    await desk.shows(instance, "Task_Wait")
    await desk.engine.cancel_process_instance(instance)


async def deployed(desk: Desk, folder: Path, diagram: str, process: str, variables: dict[str, Any]) -> int:
    """Deploy a diagram of a test's own; return the key of an instance of it."""
    file = folder / f"{process}.bpmn"
    file.write_text(diagram)
    assert (await desk.saga("deploy", str(file))).status == 0
    return (await desk.engine.run_process(process, variables)).process_instance_key
