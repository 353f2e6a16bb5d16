"""`saga cancel` and `saga compensate` act only on what they are sure to be asked for."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pyzeebe import ZeebeClient

from saga.clients.instances import Instances
from tests import warm
from tests.proxy import HoldingProxy
from tests.stack import Stack
from tests.world import World, eventually

NewOrder = Callable[..., dict[str, Any]]


def at_a_terminal(stack: Stack, answer: str, *arguments: str) -> tuple[int, str]:
    """Run `saga` at a terminal and type an answer; return its exit status and what the terminal shows."""
    return warm.at_a_terminal(arguments, stack.environment, answer)


@pytest.mark.parametrize("command", [("cancel", "4711", "--reason", "x"), ("compensate", "12")])
def test_without_a_terminal_it_has_to_be_said_in_the_command(stack: Stack, command: tuple[str, ...]) -> None:
    done = stack.saga(*command)
    assert done.status == 2
    assert "standard input is no terminal: say --yes. Nothing was changed." in done.errors


async def test_at_a_terminal_it_is_asked_for_and_no_is_no(
    stack: Stack,
    engine: ZeebeClient,
    instances: Instances,
    world: World,
    payment_proxy: HoldingProxy,
    new_order: NewOrder,
) -> None:
    order = new_order()
    order_id = order["orderId"]
    cancel = ("cancel", order_id, "--reason", "the customer called")
    with payment_proxy.hold_replies("PUT", f"/payments/{order_id}") as held:
        await engine.run_process("order-fulfillment", order)
        await asyncio.to_thread(held.wait_until_applied)
        await eventually(lambda: instances.has_active("orderId", order_id), bool)
        before = await world.events(order_id)
        status, shown = await asyncio.to_thread(at_a_terminal, stack, "n\n", *cancel)
        assert f"Undo all that was done for order {order_id}, and end it? [y/N]" in shown
        assert (status, await world.events(order_id)) == (1, before)
        status, shown = await asyncio.to_thread(at_a_terminal, stack, "y\n", *cancel)
        assert status == 0, shown
    effects = await world.effects(order_id)
    assert (effects.status, effects.captured, effects.shipped) == ("cancelled", effects.refunded, 0)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("cancel", "no-such-order", "--reason", "x"), "The cluster knows no order no-such-order"),
        (("cancel", "../4711", "--reason", "x"), "No order can be called so"),
        (("cancel", "4711", "--reason", " "), "--reason is one line of 1 to 500 characters"),
        (("cancel", "4711", "--reason", "a\nb"), "--reason is one line of 1 to 500 characters"),
        (("cancel", "4711", "--reason", "x" * 501), "--reason is one line of 1 to 500 characters"),
        (("compensate", "12"), "The cluster knows no instance 12"),
        (("compensate", "12", "--reason", ""), "--reason is one line of 1 to 500 characters"),
    ],
)
def test_what_cannot_be_meant_is_said_and_exits_with_2(stack: Stack, command: tuple[str, ...], said: str) -> None:
    done = stack.saga(*command, "--yes")
    assert done.status == 2
    assert said in done.errors
    assert "Traceback" not in done.errors


def test_without_a_rest_api_nothing_is_done_and_that_is_said(stack: Stack) -> None:
    nobody = "http://127.0.0.1:9"
    done = stack.saga("compensate", "12", "--yes", environment={"CAMUNDA_REST_ADDRESS": nobody})
    assert done.status == 1
    assert f"The cluster's REST API at {nobody} does not answer (ConnectError)." in done.errors
