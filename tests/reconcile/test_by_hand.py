"""Where the records do not tell, a person is asked once, by a user task, and what they decide is done.

One thing is faked: a broker that lost its data and began anew gives keys away once more. The effects' process instance
is made another order's, and an hour younger than they are, so nobody knows what became of the one that had them done.
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb

import services
from saga.clients.addresses import Addresses
from saga.clients.instances import Instances
from saga.common.project import BPMN
from saga.kit.definition.retry import UNDO
from saga.operations.reconcile.manual_tasks import PROCESS
from tests.reconcile.lab import Lab
from tests.reconcile.test_command import NOW, NewOrder, found, reconcile
from tests.reconcile.test_faults import DOS, RECORD, Case, cases, operator_cancels
from tests.reconcile.user_tasks import UserTasks
from tests.runtime.broker import Broker
from tests.searches import LAGS, searching
from tests.stack import free_port
from tests.world import eventually

RESERVING = DOS[1]
"""Leaves two effects: an order at orders, a reservation at inventory."""
SETTLEMENTS = "/effects/settlements"


@pytest.fixture(scope="module", params=LAGS)
async def lab(request: pytest.FixtureRequest, shared_lab: Lab) -> AsyncIterator[Lab]:
    """A laboratory whose searches show everything at once, and one whose searches lag."""
    async with searching(shared_lab.stack, request.param) as (stack, addresses), Instances.at(addresses) as instances:
        environment = {**shared_lab.environment, "CAMUNDA_REST_ADDRESS": addresses.rest or ""}
        yield replace(shared_lab, stack=stack, instances=instances, environment=environment)


@pytest.fixture
async def case(lab: Lab, new_order: NewOrder) -> Case:
    """An order with two effects of which nobody can tell what became of them."""
    with lab.workers() as worker:
        async with cases(lab, new_order, [RESERVING]) as [made]:
            await _give_away(lab, made.instance, f"not-{made.order_id}")
            await operator_cancels(lab, worker, [made])
    # What lags shows the end last, and the other order before it.
    await lab.ended(made.instance)
    for participant in ("orders", "inventory"):
        aged = f"UPDATE {participant}.barrier SET created_at = created_at - interval '1 hour' WHERE saga_id = $1"  # noqa: S608 - ours
        await lab.world.fetch(aged, made.order_id)
    return made


async def _give_away(lab: Lab, instance: int, order_id: str) -> None:
    """Give a process instance to another order."""
    others = json.dumps({"orderId": order_id})
    await lab.broker.SetVariables(pb.SetVariablesRequest(elementInstanceKey=instance, variables=others), timeout=20)


@pytest.fixture
def tasks(lab: Lab) -> UserTasks:
    """What people are asked."""
    return UserTasks(lab.environment["CAMUNDA_REST_ADDRESS"], lab.instances)


@pytest.fixture
async def broker(lab: Lab) -> AsyncIterator[Broker]:
    async with Broker(Addresses.of(lab.stack.offset), lab.stack.offset) as broker:
        yield broker


async def settlements(lab: Lab, case: Case) -> dict[str, str | None]:
    """Return how each effect of an order is settled, as the participants' own tables have it."""
    union = " UNION ALL ".join(
        f"SELECT branch, settlement FROM {name}.barrier WHERE op = 'do' AND saga_id = $1"  # noqa: S608 - ours
        for name in services.participants()
    )
    return {row["branch"]: row["settlement"] for row in await lab.world.fetch(union, case.order_id)}


async def settled(lab: Lab, case: Case, **expected: str) -> None:
    """Wait until the effects of an order are settled so."""
    await eventually(lambda: settlements(lab, case), lambda now: now == expected)


async def entries(lab: Lab, case: Case) -> list[int]:
    """Return the process instances in which a person was asked about an order."""
    return [each.key for each in await lab.instances.with_variable("orderId", case.order_id)]


async def test_a_person_is_asked_once_and_what_they_decide_is_done(lab: Lab, case: Case, tasks: UserTasks) -> None:
    order = case.order_id
    # As an order's acceptance that came from a worker of before there was a ledger.
    await lab.world.fetch("UPDATE orders.barrier SET origin = NULL WHERE saga_id = $1", order)
    other = f"http://127.0.0.1:{free_port()}"
    async with AsyncExitStack() as running:
        # Nobody can write down that a person was asked, and so both reconcilers ask at each sweep.
        with (
            lab.ways["orders"].turning_away("POST", SETTLEMENTS),
            lab.ways["inventory"].turning_away("POST", SETTLEMENTS),
        ):
            before = await _tried(lab)
            await running.enter_async_context(lab.reconciler())
            await running.enter_async_context(lab.reconciler(url=other))
            await eventually(lambda: _tried(lab), lambda times: times >= before + 6)
        await settled(lab, case, order="asked", reservation="asked")
        asked = await _question(lab, tasks, order, "inventory")
        facts = {"branch": "reservation", "taskType": "reserve-inventory", "processInstance": str(case.instance)}
        assert asked.items() >= facts.items()
        assert asked["why"].startswith("The cluster cannot say")
        await tasks.answer(order, "inventory", "undo", "The customer has heard nothing of it.")
        await settled(lab, case, order="asked", reservation="undone")
        asked = await _question(lab, tasks, order, "orders")
        assert asked["processInstance"] == ""
        assert asked["why"].startswith("The participant was not told which process instance")
        await tasks.answer(order, "orders", "keep")
        await settled(lab, case, order="kept", reservation="undone")
        await eventually(lambda: _open(tasks, order), lambda waiting: waiting == [])
    effects = await lab.world.effects(order)
    assert effects.released == effects.reserved > 0
    assert effects.status == "accepted"
    made = await entries(lab, case)
    assert len(made) == 2, "one for each effect, however often it was asked for"
    assert {await lab.ended(key) for key in made} == {"COMPLETED"}


async def _tried(lab: Lab) -> int:
    return len(lab.ways["inventory"].keys(SETTLEMENTS))


async def _open(tasks: UserTasks, order_id: str) -> list[dict[str, Any]]:
    """Return what somebody is still asked about an order."""
    return [task for participant in ("orders", "inventory") for task in await tasks.open(order_id, participant)]


async def _question(lab: Lab, tasks: UserTasks, order_id: str, participant: str) -> dict[str, str]:
    """Return what the one open task about a participant tells a person."""
    [task] = await eventually(lambda: tasks.open(order_id, participant), bool)
    names = ("branch", "taskType", "processInstance", "why")
    return {name: await lab.instances.variable(int(task["processInstanceKey"]), name) for name in names}


async def test_the_command_says_how_many_wait_for_a_person_and_where(lab: Lab, case: Case) -> None:
    only = ("--order", case.order_id, *NOW)
    shown = reconcile(lab, *only, "--json")
    assert found(shown) == {"order": "ask", "reservation": "ask"}
    assert json.loads(shown.output)["waiting"] == {"effects": 0, "tasklist": None}
    done = reconcile(lab, *only, "--yes", "--json")
    assert json.loads(done.output)["waiting"] == {"effects": 2, "tasklist": None}
    again = reconcile(lab, *only)
    assert "What waits for a person is settled by `saga tasks`." in again.output
    elsewhere = reconcile(lab, *only, CAMUNDA_TASKLIST_BASE_URL="https://tasklist.example/of-ours")
    assert "is settled in https://tasklist.example/of-ours." in elsewhere.output
    away = reconcile(lab, *only, "--json", INVENTORY_URL="http://127.0.0.1:9")
    assert away.status == 1
    assert json.loads(away.output)["troubles"] == ["inventory at http://127.0.0.1:9 does not answer (ConnectError)."]
    assert json.loads(away.output)["waiting"]["effects"] == 1


async def test_an_answer_is_carried_out_even_before_it_is_written_down_that_somebody_was_asked(
    lab: Lab, case: Case, tasks: UserTasks
) -> None:
    with lab.ways["inventory"].turning_away("POST", SETTLEMENTS):
        async with lab.reconciler():
            await tasks.answer(case.order_id, "inventory", "undo")
            await settled(lab, case, order="asked", reservation="undone")


@pytest.mark.parametrize(
    ("decision", "first", "late"), [("undo", "undone", "keep"), ("keep", "kept", "undo")], ids=["keep", "undo"]
)
async def test_an_answer_that_comes_after_somebody_else_settled_it_does_no_harm(
    lab: Lab, case: Case, tasks: UserTasks, decision: str, first: str, late: str
) -> None:
    async with lab.reconciler():
        await settled(lab, case, order="asked", reservation="asked")
        assert await lab.ended(await decide(lab, case, decision=decision)) == "COMPLETED"
        assert (await settlements(lab, case))["reservation"] == first
        effects = await lab.world.effects(case.order_id)
        assert await lab.ended(await tasks.answer(case.order_id, "inventory", late)) == "COMPLETED"
    assert (await settlements(lab, case))["reservation"] == first
    assert await lab.world.effects(case.order_id) == effects


async def test_an_answer_about_what_another_instance_has_had_done_since_is_none_about_that(
    lab: Lab, case: Case
) -> None:
    async with lab.reconciler():
        await settled(lab, case, order="asked", reservation="asked")
        stale = await decide(lab, case, decision="undo", processInstance=str(case.instance - 1))
        assert await lab.ended(stale) == "COMPLETED"
    assert (await settlements(lab, case))["reservation"] == "asked"
    assert (await lab.world.effects(case.order_id)).released == 0


async def test_a_participant_that_does_not_exist_is_an_incident_that_says_so(
    lab: Lab, case: Case, broker: Broker
) -> None:
    async with lab.reconciler():
        instance = await decide(lab, case, decision="undo", participant="nowhere")
        incident = await broker.incident(instance)
        known = ", ".join(services.participants())
        said = f"The variable participant names none; there are {known}. Mend it, then retry."
        assert incident["message"] == f"Saga {case.order_id}: {said}"
        await broker.retry(incident, {"participant": "inventory"})
        assert await lab.ended(instance) == "COMPLETED"
    assert (await settlements(lab, case))["reservation"] == "undone"


async def test_what_nothing_takes_back_can_only_be_kept_and_an_incident_says_so(
    lab: Lab, new_order: NewOrder, broker: Broker
) -> None:
    with lab.workers():
        async with lab.reconciler(), cases(lab, new_order, [RECORD]) as [case]:
            record = {"participant": "orders", "branch": "cancellation"}
            instance = await decide(lab, case, decision="undo", **record)
            incident = await broker.incident(instance)
            said = "Nothing takes back what record-cancellation does. Set the variable decision to keep, then retry."
            assert incident["message"] == f"Saga {case.order_id}: {said}"
            await broker.retry(incident, {"decision": "keep"})
            assert await lab.ended(instance) == "COMPLETED"
            assert (await settlements(lab, case))["cancellation"] == "kept"
            case.release()
            await lab.ended(case.instance)


async def test_nobody_counts_as_asked_while_the_process_is_not_deployed(lab: Lab, case: Case, broker: Broker) -> None:
    deployed = lab.stack.saga("deploy").output
    [key] = re.findall(rf"{PROCESS} version \d+ \(process definition (\d+)\)", deployed)

    async def deleted() -> bool:
        """Delete the process, which takes that no instance of it runs."""
        with suppress(grpc.aio.AioRpcError):  # The searches may lag behind.
            for instance in await broker.running(PROCESS):
                await lab.cancel(instance)
            await broker.gateway.DeleteResource(pb.DeleteResourceRequest(resourceKey=int(key)))
            return True
        return False

    await eventually(deleted, bool)
    only = ("--order", case.order_id, "--yes", "--json", *NOW)
    try:
        refused = reconcile(lab, *only)
    finally:
        assert lab.stack.saga("deploy").status == 0
    assert refused.status == 1
    assert {line["whyNot"] for line in json.loads(refused.output)["findings"]} == {
        f"The process {PROCESS} is not deployed, so nobody can be asked. Run `saga deploy`."
    }
    assert await settlements(lab, case) == {"order": None, "reservation": None}
    assert reconcile(lab, *only).status == 0
    await eventually(lambda: entries(lab, case), lambda asked: len(asked) == 2)


def test_the_diagram_grants_as_many_tries_as_an_undo_has() -> None:
    tasks = ET.parse(BPMN / f"{PROCESS}.bpmn").iter("{http://camunda.org/schema/zeebe/1.0}taskDefinition")  # noqa: S314 - ours
    assert {task.attrib["type"]: task.attrib["retries"] for task in tasks} == {"settle-effect": str(UNDO.retries)}


async def decide(lab: Lab, case: Case, **variables: str) -> int:
    """Decide about the reservation without having been asked, as a process of somebody's own may; return its key."""
    about = {"orderId": case.order_id, "participant": "inventory", "branch": "reservation", **variables}
    begin = pb.ProcessInstanceCreationStartInstruction(elementId="Task_SettleEffect")
    request = pb.CreateProcessInstanceRequest(
        bpmnProcessId=PROCESS, version=-1, variables=json.dumps(about), startInstructions=[begin]
    )
    return int((await lab.broker.CreateProcessInstance(request, timeout=20)).processInstanceKey)
