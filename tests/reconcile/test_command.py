"""`saga reconcile`: looks first, settles when it is told to, and says what it could not do."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.reconcile.lab import Lab
from tests.reconcile.test_faults import DOS, cases, operator_cancels
from tests.stack import Result

NewOrder = Callable[..., dict[str, Any]]
NOW = ("--older-than", "0")


def reconcile(lab: Lab, *arguments: str, **environment: str) -> Result:
    return lab.stack.saga("reconcile", *arguments, environment=environment)


def found(result: Result) -> dict[str, str]:
    return {line["branch"]: line["verdict"] for line in json.loads(result.output)["findings"]}


async def left_behind(lab: Lab, new_order: NewOrder) -> str:
    """Leave all effects of a shipped order behind; return its id."""
    with lab.workers() as worker:
        async with cases(lab, new_order, [DOS[-1]]) as made:
            await operator_cancels(lab, worker, made)
    await lab.ended(made[0].instance)
    return made[0].order_id


async def test_it_shows_first_and_settles_only_when_told_to(lab: Lab, new_order: NewOrder) -> None:
    order = await left_behind(lab, new_order)
    shown = reconcile(lab, "--order", order, *NOW)
    assert shown.status == 0, shown.errors
    assert "Nothing was changed; --yes does it." in shown.output
    assert shown.output.count(order) == 4
    assert await lab.orphans(order, "TERMINATED") == 4
    done = reconcile(lab, "--order", order, "--yes", "--json", *NOW)
    assert done.status == 0, done.errors
    assert found(done) == dict.fromkeys(("shipment", "payment", "reservation", "order"), "undo")
    assert all(line["done"] for line in json.loads(done.output)["findings"])
    assert await lab.orphans(order, "TERMINATED") == 0
    again = json.loads(reconcile(lab, "--order", order, "--yes", "--json", *NOW).output)
    assert again.pop("waiting")["effects"] == 0
    assert again == {"counts": {"wait": 0, "keep": 0, "undo": 0, "ask": 0}, "findings": [], "troubles": []}


async def test_a_participant_that_is_away_is_named_and_nothing_is_undone_out_of_order(
    lab: Lab, new_order: NewOrder
) -> None:
    order = await left_behind(lab, new_order)
    away = {"SHIPPING_URL": "http://127.0.0.1:9"}
    done = reconcile(lab, "--order", order, "--yes", "--json", *NOW, **away)
    assert done.status == 1
    report = json.loads(done.output)
    assert report["troubles"] == ["shipping at http://127.0.0.1:9 does not answer (ConnectError)."]
    assert {line["whyNot"] for line in report["findings"]} == set(report["troubles"])
    assert await lab.orphans(order, "TERMINATED") == 4
    assert reconcile(lab, "--order", order, "--yes", *NOW).status == 0
    assert await lab.orphans(order, "TERMINATED") == 0


async def test_an_order_on_its_way_is_waited_for(lab: Lab, new_order: NewOrder) -> None:
    with lab.workers():
        async with cases(lab, new_order, [DOS[2]]) as made:
            [case] = made
            shown = json.loads(reconcile(lab, "--order", case.order_id, "--yes", "--json", *NOW).output)
            assert shown["counts"] == {"wait": 3, "keep": 0, "undo": 0, "ask": 0}
            case.release()
            assert await lab.ended(case.instance) == "COMPLETED"
    kept = json.loads(reconcile(lab, "--order", case.order_id, "--yes", "--json", *NOW).output)
    assert kept["counts"] == {"wait": 0, "keep": 5, "undo": 0, "ask": 0}
    assert await lab.orphans(case.order_id, "COMPLETED") == 0


@pytest.mark.parametrize(
    ("arguments", "environment", "message", "status"),
    [
        (["--watch", "--yes"], {}, "--watch settles all there is", 2),
        (["--engine-lost-at", "yesterday"], {}, "--engine-lost-at", 2),
        (["--older-than", "-1"], {}, "--older-than", 2),
        (["--order", "../x"], {}, "REQUEST_INVALID", 1),
        ([], {"CAMUNDA_REST_ADDRESS": "http://127.0.0.1:9"}, "does not answer", 1),
        ([], {"TOKEN_RECONCILE": "wrong", "TOKENS": ""}, "UNAUTHENTICATED", 1),
    ],
)
def test_what_it_cannot_do_it_says(
    lab: Lab, arguments: list[str], environment: dict[str, str], message: str, status: int
) -> None:
    done = reconcile(lab, *arguments, **environment)
    assert done.status == status
    assert message in done.output + done.errors
    assert "Traceback" not in done.errors
