"""`saga start`: what a person types, good and bad, and what comes of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stack import Stack
from tests.world import NOTHING, World

NewOrder = Callable[..., dict[str, Any]]


async def test_an_order_is_started_and_its_end_is_told(stack: Stack, world: World, new_order: NewOrder) -> None:
    order = new_order("payment-declined")
    done = stack.saga("start", "-", "--wait", stdin=json.dumps(order))
    assert done.status == 0, done.errors
    assert f"Order {order['orderId']}: instance " in done.output
    assert "cancelled (PAYMENT_DECLINED: " in done.output
    assert (await world.effects(order["orderId"])).status == "cancelled"


async def test_an_order_by_message_starts_once(stack: Stack, new_order: NewOrder) -> None:
    order = json.dumps(new_order())
    assert stack.saga("start", "-", "--message", stdin=order).status == 0
    again = stack.saga("start", "-", "--message", stdin=order)
    assert again.status == 1
    assert "was placed before" in again.errors


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"orderId": "4711",}', "standard input is no JSON: "),
        ("", "standard input is no JSON: Expecting value at line 1, column 1"),
        ("[]", "(the document): "),
        ("{}", "orderId: Field required"),
        ("[" * 200_000, "nested too deeply"),
        ('{"orderId": ' + "1" * 5_000 + "}", "too many digits"),
        ('{"orderId": 4711}', "orderId: Input should be a valid string"),
    ],
)
def test_what_is_no_order_is_named_and_nothing_is_started(stack: Stack, text: str, said: str) -> None:
    done = stack.saga("start", "-", stdin=text)
    assert done.status == 2
    assert said in done.errors
    assert "othing was started" in done.errors
    assert "Traceback" not in done.errors


async def test_every_wrong_field_is_named_and_no_value_is_repeated(
    stack: Stack, world: World, new_order: NewOrder
) -> None:
    order = new_order(card="4242424242424241", items=[{"sku": "MOUSE", "quantity": -7}])
    done = stack.saga("start", "-", stdin=json.dumps(order))
    assert done.status == 2
    assert "card: is not a card number" in done.errors
    assert "items[0].quantity: " in done.errors
    assert "4242424242424241" not in done.errors
    assert await world.effects(order["orderId"]) == NOTHING


async def test_an_unknown_article_is_named_with_what_is_for_sale(
    stack: Stack, world: World, new_order: NewOrder
) -> None:
    order = new_order(items=[{"sku": "MOUSE", "quantity": 1}, {"sku": "PHLOGISTON", "quantity": 1}])
    done = stack.saga("start", "-", stdin=json.dumps(order))
    assert done.status == 2
    assert "items[1].sku: there is no such article" in done.errors
    assert "For sale: KEYBOARD, " in done.errors
    assert await world.effects(order["orderId"]) == NOTHING


def test_a_file_that_cannot_be_read_is_named(stack: Stack, tmp_path: Path) -> None:
    latin = tmp_path / "latin.json"
    latin.write_bytes(b'{"name": "\xe9"}')
    for file, why in ((tmp_path / "none.json", "No such file"), (tmp_path, "Is a directory"), (latin, "no UTF-8")):
        done = stack.saga("start", str(file))
        assert done.status == 2
        assert why in done.errors


def test_an_engine_that_is_not_there_is_told_with_its_address(stack: Stack, new_order: NewOrder) -> None:
    nobody = {"ZEEBE_ADDRESS": "127.0.0.1:9"}
    done = stack.saga("start", "-", stdin=json.dumps(new_order()), environment=nobody)
    assert done.status == 1
    assert "The engine at 127.0.0.1:9 does not answer" in done.errors


def test_a_catalogue_that_is_not_there_is_told_with_its_address(stack: Stack, new_order: NewOrder) -> None:
    nobody = {"ORDERS_URL": "http://127.0.0.1:9"}
    done = stack.saga("start", "-", stdin=json.dumps(new_order()), environment=nobody)
    assert done.status == 1
    assert "Nothing was started" in done.errors
    assert "orders at http://127.0.0.1:9 does not answer" in done.errors


def test_a_catalogue_that_wants_another_token_is_told_with_what_to_set(stack: Stack, new_order: NewOrder) -> None:
    done = stack.saga("start", "-", stdin=json.dumps(new_order()), environment={"TOKEN_READ": "wrong"})
    assert done.status == 1
    assert "Nothing was started" in done.errors
    assert "answers 401" in done.errors
    assert "another token of the caller read: set TOKENS" in done.errors
    done = stack.saga("start", "-", stdin=json.dumps(new_order()), environment={"TOKEN_SHIP_ORDER": "other"})
    assert done.status == 1
    assert "There is no token for read: TOKEN_READ is not there, or empty." in done.errors


def test_a_diagram_that_the_engine_refuses_is_told_and_not_deployed(stack: Stack, tmp_path: Path) -> None:
    broken = tmp_path / "broken.bpmn"
    diagram = (Path(__file__).parents[2] / "bpmn" / "order-fulfillment.bpmn").read_text()
    broken.write_text(diagram.replace('type="ship-order"', 'type=""'))
    done = stack.saga("deploy", str(broken))
    assert done.status == 2
    assert "The engine refuses a file; nothing was deployed." in done.errors
    assert "Task_ShipOrder" in done.errors
    missing = stack.saga("deploy", str(tmp_path / "none.bpmn"))
    assert missing.status == 2
    assert "none.bpmn" in missing.errors


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ZEEBE_INSECURE_CONNECTION": "perhaps"}, "ZEEBE_INSECURE_CONNECTION: Input should be a valid boolean"),
        ({"ZEEBE_ADDRESS": "engine.example:port"}, "ZEEBE_ADDRESS is host:port"),
        ({"ZEEBE_ADDRESS": "engine.example:443", "ZEEBE_CA_CERTIFICATE_PATH": "/nowhere"}, "ZEEBE_CA_CERTIFICATE_PATH"),
    ],
)
def test_an_environment_that_cannot_be_used_is_named(
    stack: Stack, new_order: NewOrder, environment: dict[str, str], said: str
) -> None:
    done = stack.saga("start", "-", stdin=json.dumps(new_order()), environment=environment)
    assert done.status == 2
    assert said in done.errors
    assert "Traceback" not in done.errors
    assert "perhaps" not in done.errors


@pytest.mark.parametrize(("variable", "value"), [("WORKER_LEASE", "1x"), ("WORKER_WINDOW", "0")])
def test_a_workers_setting_that_cannot_be_used_is_named(stack: Stack, variable: str, value: str) -> None:
    done = stack.saga("workers", environment={variable: value})
    assert done.status == 2
    assert variable in done.errors
    assert "Traceback" not in done.errors
