"""`saga incidents`: what stands still is seen and explained, and retried until it is gone or has come back."""

import asyncio
import contextlib
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.clients.addresses import Addresses
from saga.clients.instances import Instances
from saga.operations.incidents.retry import IncidentRetry, Verdict
from saga.operations.incidents.search import Incidents, Wanted
from saga.stack import stack as embedded
from tests import warm
from tests.process.test_paths import ACCEPTED, CHARGED, DISPATCHED, RESERVED, SHIPPED
from tests.stack import Result, Stack
from tests.standing import Standing
from tests.world import World, eventually

Order = dict[str, Any]
NewOrder = Callable[..., Order]
CARD = "4242424242424242"
NOBODY = "http://127.0.0.1:9"
UNREADABLE = "ship-order cannot read its variables. shipTo: Input should be an object."
BPMN = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
                  xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="http://test">
  <bpmn:process id="{process}" name="Sums" isExecutable="true">
    <bpmn:startEvent id="start" />
    <bpmn:serviceTask id="add" name="Add&#10;it up">
      <bpmn:extensionElements>
        <zeebe:taskDefinition type="{process}" retries="4" />
        <zeebe:ioMapping><zeebe:input source="=assert(card + 1, card + 1 != null)" target="sum" /></zeebe:ioMapping>
      </bpmn:extensionElements>
    </bpmn:serviceTask>
    <bpmn:endEvent id="end" />
    <bpmn:sequenceFlow id="to-add" sourceRef="start" targetRef="add" />
    <bpmn:sequenceFlow id="to-end" sourceRef="add" targetRef="end" />
  </bpmn:process>
</bpmn:definitions>
"""


@pytest.fixture(scope="module")
def standing(searched: tuple[Stack, Instances, Standing]) -> Standing:
    return searched[2]


async def saga(asked: Stack, *arguments: str, **environment: str) -> Result:
    return await asyncio.to_thread(asked.saga, "incidents", *arguments, environment=environment)


async def listed(asked: Stack, *filters: str) -> list[dict[str, Any]]:
    done = await saga(asked, "--json", *filters)
    assert done.status == 0, done.errors
    incidents: list[dict[str, Any]] = json.loads(done.output)
    return incidents


@pytest.fixture(scope="module")
async def order(standing: Standing, new_order: NewOrder) -> AsyncIterator[Order]:
    """An order that stands at Ship order, which cannot read where to: to be looked at only."""
    order = new_order()
    [instance] = await standing.at_shipping(order)
    yield {**order, "instance": instance}
    await cancelled(standing, instance)


async def cancelled(standing: Standing, *instances: int) -> None:
    for instance in instances:
        with contextlib.suppress(grpc.aio.AioRpcError):  # It has ended by itself.
            await standing.gateway.CancelProcessInstance(pb.CancelProcessInstanceRequest(processInstanceKey=instance))


async def test_an_incident_is_shown_with_all_that_tells_it_apart(asked: Stack, order: Order) -> None:
    done = await saga(asked, "--order", order["orderId"])
    assert done.status == 0, done.errors
    overview, _, one = done.output.partition("\n\n")
    assert re.search(r"^Open: 1\n.*\nShip order +Order fulfillment +JOB_NO_RETRIES +1$", overview, re.DOTALL)
    [incident] = await listed(asked, "--order", order["orderId"])
    first, second = one.splitlines()
    for shown in (str(incident["key"]), order["orderId"], "Ship order", "Order fulfillment", "JOB_NO_RETRIES"):
        assert shown in first
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", first)
    assert second.strip().startswith(UNREADABLE)
    assert incident["processInstanceKey"] == order["instance"]
    assert incident["message"].startswith(UNREADABLE)


FILTERS = {
    "process": ("Order fulfillment", "Ship order"),
    "element": ("Ship order", "Ship"),
    "type": ("JOB_NO_RETRIES", "IO_MAPPING_ERROR"),
    "message": ("SHIPTO: Input", "shipTo:Input"),
}


@pytest.mark.parametrize("name", FILTERS)
async def test_a_filter_lets_through_what_it_names(shown: Instances, order: Order, name: str) -> None:
    right, wrong = FILTERS[name]
    incidents = Incidents(shown)
    of_order = Wanted(order=order["orderId"])
    assert [each.order async for each in incidents.open(replace(of_order, **{name: right}))] == [order["orderId"]]
    assert [each async for each in incidents.open(replace(of_order, **{name: wrong}))] == []


@pytest.mark.parametrize("command", [(), ("retry",)], ids=["show", "retry"])
async def test_filters_go_together(asked: Stack, order: Order, command: tuple[str, ...]) -> None:
    ids = {"order": order["orderId"], "process": "order-fulfillment", "element": "Task_ShipOrder"}
    right = ids | {"type": "JOB_NO_RETRIES", "message": "shipTo"}
    for filters, count in ((right, 1), (right | {"message": "items"}, 0)):
        done = await saga(asked, *command, *(word for name in filters for word in (f"--{name}", filters[name])))
        assert done.status == 0, done.errors
        assert done.output.startswith(f"Open: {count}" if count else "No such incident is open.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--type", "NO_SUCH"), "There is no type NO_SUCH; there are JOB_NO_RETRIES, "),
        (("--order", "4711", "retry"), "Options belong behind the command: saga incidents retry "),
        (("retry", "--yes"), "--yes and --count go together"),
        (("retry", "--count", "1"), "--yes and --count go together"),
        (("retry", "--retries", "0"), "Invalid value for '--retries'"),
        (("explain", "no-such-order"), "No open incident has the key no-such-order, and the cluster knows no order"),
        (("explain", "9" * 30), "No open incident has the key 999"),
    ],
)
async def test_what_cannot_be_meant_is_refused(asked: Stack, arguments: tuple[str, ...], said: str) -> None:
    done = await saga(asked, *arguments)
    assert done.status == 2
    assert said in done.errors
    assert "Traceback" not in done.errors


async def test_without_a_rest_api_that_is_said(asked: Stack) -> None:
    away = await saga(asked, CAMUNDA_REST_ADDRESS=NOBODY)
    assert (away.status, away.output) == (1, "")
    assert f"The cluster's REST API at {NOBODY} does not answer (ConnectError)." in away.errors
    unknown = await saga(asked, ZEEBE_ADDRESS="127.0.0.1:9", CAMUNDA_REST_ADDRESS="")
    assert unknown.status == 2
    assert "CAMUNDA_REST_ADDRESS is not set" in unknown.errors
    half = await saga(asked, CAMUNDA_BASIC_AUTH_PASSWORD="hunter2")  # noqa: S106 - none
    assert half.status == 2
    assert "CAMUNDA_BASIC_AUTH_USERNAME is not set." in half.errors
    assert "hunter2" not in half.errors + half.output


async def test_a_page_of_an_instance_is_named_where_operate_is_known(asked: Stack, order: Order) -> None:
    done = await saga(asked, "explain", order["orderId"], CAMUNDA_OPERATE_BASE_URL="https://operate.example")
    assert f"{order['instance']}, https://operate.example/processes/{order['instance']}" in done.output


async def test_it_is_explained_by_its_order_and_by_its_key(asked: Stack, order: Order) -> None:
    [incident] = await listed(asked, "--order", order["orderId"])
    by_order = await saga(asked, "explain", order["orderId"])
    assert by_order.status == 0, by_order.errors
    by_key = await saga(asked, "explain", str(incident["key"]))
    assert by_key == by_order
    facts = {line[:12].strip(): line[12:].strip() for line in by_order.output.splitlines() if line[:12].strip()}
    assert facts["order"] == order["orderId"]
    assert facts["instance"] == str(order["instance"])
    assert facts["element"] == "Ship order (Task_ShipOrder)"
    assert facts["task type"] == "ship-order, 10 tries; 0 are left"
    assert facts["message"] == incident["message"]
    assert facts["what to do"].startswith("The worker gave up.")
    happened = re.findall(r"^\S+ \S+  (\w+) +(\w+) done *$", by_order.output, re.MULTILINE)
    assert happened == [("orders", "order"), ("inventory", "reservation"), ("payment", "payment")]


async def test_an_order_without_an_incident_is_told_where_it_stands(
    asked: Stack, stack: Stack, standing: Standing, new_order: NewOrder
) -> None:
    order = new_order()

    async def explained() -> str:
        done = await saga(asked, "explain", order["orderId"])
        return done.output if done.status == 0 else ""

    with stack.halted("payment"):
        instance = await standing.start(order)
        busy = f"Instance {instance} is busy with Process payment, and no incident is open."
        await eventually(explained, lambda told: busy in told)
    fulfilled = f"Instance {instance} has ended: fulfilled."
    told = await eventually(explained, lambda told: fulfilled in told)
    assert re.search(r"  shipping +shipment done *$", told, re.MULTILINE), told
    assert "To retry" not in told


async def test_it_is_explained_while_the_orders_service_is_away(asked: Stack, order: Order) -> None:
    done = await saga(asked, "explain", order["orderId"], ORDERS_URL=NOBODY)
    assert done.status == 0
    assert UNREADABLE in done.output
    assert f"is not known: orders at {NOBODY} does not answer (ConnectError)." in done.output


async def test_a_retry_changes_nothing_unless_their_number_is_said(
    asked: Stack, standing: Standing, world: World, new_order: NewOrder
) -> None:
    order = new_order()
    [instance] = await standing.at_shipping(order)
    await standing.set(instance, shipTo=order["shipTo"])
    before = await standing.incident(instance)
    shown = await saga(asked, "retry", "--order", order["orderId"])
    assert shown.status == 0
    [line] = re.findall(r"^Nothing was changed. To retry these: (saga .* --yes --count 1)$", shown.output, re.MULTILINE)
    refused = await saga(asked, "retry", "--order", order["orderId"], "--yes", "--count", "2")
    assert refused.status == 2
    assert "There are 1 such incidents, not 2. Nothing was changed" in refused.errors
    assert await standing.incident(instance) == before
    done = await asyncio.to_thread(asked.run, *line.split())
    assert done.status == 0, done.output + done.errors
    assert re.search(r"^Ship order +1 +0 +0$", done.output, re.MULTILINE)
    assert (await world.effects(order["orderId"])).shipped == 3
    assert await world.events(order["orderId"]) == [ACCEPTED, RESERVED, CHARGED, DISPATCHED, SHIPPED]
    await standing.healed(instance)
    again = await saga(asked, "retry", "--order", order["orderId"], "--yes", "--count", "0")
    assert again.status == 0


@pytest.fixture
async def ended(standing: Standing, new_order: NewOrder) -> Order:
    """An order that was carried out: whatever is asked for again has no further effect."""
    return await standing.ended(new_order())


async def again_at_shipping(standing: Standing, order: Order, count: int) -> list[int]:
    """Let more instances of an order stand at Ship order, which cannot read where to."""
    room = asyncio.Semaphore(16)

    async def one() -> int:
        async with room:
            return await standing.start({**order, "shipTo": None}, at="Task_ShipOrder")

    instances = await asyncio.gather(*(one() for _ in range(count)))
    for instance in instances:
        await standing.incident(instance)
    return instances


async def test_what_was_not_mended_comes_back_and_that_is_told_with_its_new_message(
    asked: Stack, standing: Standing, ended: Order
) -> None:
    instances = await again_at_shipping(standing, ended, 3)
    before = [await standing.incident(instance) for instance in instances]
    await standing.set(instances[0], shipTo=ended["shipTo"])
    await standing.set(instances[1], items=[])
    done = await saga(asked, "retry", "--order", ended["orderId"], "--yes", "--count", "3")
    assert done.status == 1
    assert re.search(r"^Ship order +1 +2 +0$", done.output, re.MULTILINE), done.output
    of_order = f"Ship order of order {ended['orderId']} came back: ship-order cannot read its variables. "
    assert f"{of_order}items: List should have at least 1 item" in done.output
    assert f"{of_order}shipTo: Input should be an object" in done.output
    await standing.healed(instances[0])
    for instance, incident in zip(instances[1:], before[1:], strict=True):
        await standing.incident(instance, after=incident["key"])
    await cancelled(standing, *instances)


async def test_a_person_types_how_many_there_are(asked: Stack, standing: Standing, ended: Order) -> None:
    instances = await again_at_shipping(standing, ended, 2)
    for instance in instances:
        await standing.set(instance, shipTo=ended["shipTo"])

    def typed(text: str) -> tuple[int, str]:
        command = ("incidents", "retry", "--order", ended["orderId"])
        return warm.at_a_terminal(command, asked.environment, text)

    for text, status, said in (("\n", 0, "Nothing was changed."), ("1\n", 2, "There are 2 such incidents, not 1.")):
        ended_with, output = await asyncio.to_thread(typed, text)
        assert (ended_with, said in output) == (status, True), output
        assert [len(await standing.incidents(instance)) for instance in instances] == [1, 1]
    status, output = await asyncio.to_thread(typed, "2\n")
    assert status == 0, output
    for instance in instances:
        await standing.healed(instance)


@pytest.mark.long
@pytest.mark.parametrize("count", [22, pytest.param(200, marks=pytest.mark.proof)])
async def test_a_storm_is_readable_and_retried_at_once(
    asked: Stack, standing: Standing, world: World, ended: Order, count: int
) -> None:
    instances = await again_at_shipping(standing, ended, count)
    effects, events = await world.effects(ended["orderId"]), await world.events(ended["orderId"])
    shown = await saga(asked, "--order", ended["orderId"])
    assert shown.output.startswith(f"Open: {count}\n")
    assert re.search(rf"^Ship order +Order fulfillment +JOB_NO_RETRIES +{count}$", shown.output, re.MULTILINE)
    assert shown.output.count(UNREADABLE) == 20
    assert f"And {count - 20} more" in shown.output
    assert len({each["key"] for each in await listed(asked, "--order", ended["orderId"])}) == count
    for instance in instances:
        await standing.set(instance, shipTo=ended["shipTo"])
    done = await saga(asked, "retry", "--order", ended["orderId"], "--yes", "--count", str(count))
    assert done.status == 0, done.output + done.errors
    assert re.search(rf"^Ship order +{count} +0 +0$", done.output, re.MULTILINE)
    assert await listed(asked, "--order", ended["orderId"]) == []
    assert await world.effects(ended["orderId"]) == effects
    assert await world.events(ended["orderId"]) == events


async def test_two_retries_of_the_same_incidents_at_once_do_no_harm(
    standing: Standing, shown: Instances, world: World, ended: Order
) -> None:
    keys = await again_at_shipping(standing, ended, 10)
    effects = await world.effects(ended["orderId"])
    for instance in keys[:8]:
        await standing.set(instance, shipTo=ended["shipTo"])
    found = [incident async for incident in Incidents(shown).open(Wanted(order=ended["orderId"]))]

    async def verdicts() -> dict[int, Verdict]:
        outcomes = IncidentRetry(standing.gateway, shown, None).all(found)
        return {outcome.incident.process_instance_key: outcome.verdict async for outcome in outcomes}

    one, other = await asyncio.gather(verdicts(), verdicts())
    assert one == dict.fromkeys(keys[:8], Verdict.RESOLVED) | dict.fromkeys(keys[8:], Verdict.CAME_BACK)
    assert other == one
    assert await world.effects(ended["orderId"]) == effects
    await cancelled(standing, *keys[8:])


async def test_an_engine_that_is_away_is_told_and_nothing_is_gone(
    asked: Stack, addresses: Addresses, standing: Standing, order: Order
) -> None:
    only_rest = {"ZEEBE_ADDRESS": "127.0.0.1:9", "CAMUNDA_REST_ADDRESS": f"{addresses.rest}"}
    done = await saga(asked, "retry", "--order", order["orderId"], "--yes", "--count", "1", **only_rest)
    assert done.status == 1
    assert f"Ship order of order {order['orderId']} could not: The engine answers UNAVAILABLE." in done.output
    assert await standing.incident(order["instance"])


@pytest.fixture
async def sums(standing: Standing) -> str:
    """A process of the test's own, whose one task adds 1 to a card; nobody works at it."""
    process = f"sums-{uuid.uuid4().hex[:8]}"
    resource = pb.Resource(name=f"{process}.bpmn", content=BPMN.format(process=process).encode())
    await standing.gateway.DeployResource(pb.DeployResourceRequest(resources=[resource]))
    return process


async def test_an_incident_without_a_job_is_retried_too_and_no_value_that_the_engine_quotes_is_shown(
    asked: Stack, standing: Standing, sums: str
) -> None:
    instance = await standing.start({"card": CARD}, process=sums)
    incident = await standing.incident(instance)
    assert CARD in incident["message"], "the engine quotes it"
    [told] = await listed(asked, "--process", sums)
    assert told["element"] == "Add it up"
    assert told["message"].endswith("Warnings, whose texts are in the cluster: INVALID_TYPE, ASSERT_FAILURE.")
    retry = ("retry", "--process", sums, "--element", "Add it up", "--yes", "--count", "1")
    shown = [await saga(asked), await saga(asked, "explain", str(incident["key"])), await saga(asked, *retry)]
    assert [done.status for done in shown] == [0, 0, 1]
    assert re.search(r"^Add it up +0 +1 +0$", shown[-1].output, re.MULTILINE), shown[-1].output
    assert CARD not in f"{told}{shown}"
    await standing.set(instance, card=41)
    await eventually(lambda: listed(asked, "--process", sums), bool)  # A cluster shows the new one a while later.
    done = await saga(asked, *retry)
    assert done.status == 0, done.output + done.errors
    await standing.healed(instance)
    await cancelled(standing, instance)


async def test_a_job_that_nobody_does_is_not_called_gone(standing: Standing, shown: Instances, sums: str) -> None:
    instance = await standing.start({"card": 41}, process=sums)
    job = await standing.job(sums)
    await standing.gateway.FailJob(pb.FailJobRequest(jobKey=job.key, retries=0, errorMessage="gave up"))
    await standing.incident(instance)
    found = [incident async for incident in Incidents(shown).open(Wanted(process=sums))]
    retry = IncidentRetry(standing.gateway, shown, None, timeout=3.0)
    [outcome] = [outcome async for outcome in retry.all(found)]
    assert outcome.verdict is Verdict.COULD_NOT
    assert outcome.why == "It was retried, and its job has not ended after 3 seconds; look again later."
    assert (await standing.job(sums)).retries == 4, "as many as the diagram grants"
    await cancelled(standing, instance)


async def test_more_incidents_than_a_page_come_in_the_order_of_time(
    asked: Stack, standing: Standing, sums: str
) -> None:
    keys = [await standing.start({"card": CARD}, process=sums) for _ in range(5)]
    for instance in keys:
        await standing.incident(instance)
    wanted = Wanted(process=sums, type="IO_MAPPING_ERROR")
    address = asked.environment.get("CAMUNDA_REST_ADDRESS") or Addresses.of(asked.offset).rest
    assert address
    async with Instances(address, page_size=2) as two_a_page:
        assert [each.process_instance_key async for each in Incidents(two_a_page).open(wanted)] == keys
    await cancelled(standing, *keys)


async def test_an_undo_that_cannot_says_what_counts_as_standing_and_a_retry_makes_it_good(
    asked: Stack, standing: Standing, world: World, new_order: NewOrder
) -> None:
    order = new_order("address-unserviceable")
    order_id = order["orderId"]
    token = embedded.Stack(asked.offset).tokens / "refund-payment"
    kept = token.with_name(".refund-payment")
    token.rename(kept)
    try:
        instance = await standing.start(order)
        incident = await standing.incident(instance)
    finally:
        kept.rename(token)
    assert incident["message"].startswith(f"Saga {order_id}: There is no token for refund-payment: ")
    stands = "Until the undo succeeds, what process-payment did at payment counts as standing."
    assert incident["message"].endswith(stands)
    effects = await world.effects(order_id)
    assert (effects.captured, effects.refunded, effects.released) == (effects.total, 0, 0)
    done = await saga(asked, "retry", "--order", order_id, "--yes", "--count", "1")
    assert done.status == 0, done.output + done.errors
    effects = await eventually(lambda: world.effects(order_id), lambda seen: seen.status == "cancelled")
    assert (effects.captured, effects.refunded, effects.released) == (effects.total, effects.total, effects.reserved)
