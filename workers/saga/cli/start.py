"""`saga deploy` and `saga start`: bring the process and its orders to the engine."""

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console

import order_fulfillment.steps
from order_fulfillment.model import Order
from saga.cli.options import PortOffset
from saga.clients.addresses import Addresses
from saga.clients.diagram import task_types
from saga.clients.failure import Failure, bad_input
from saga.clients.participant import Participant
from saga.clients.zeebe import create, deploy, engine, place, resources
from saga.common.tokens import read_tokens
from saga.kit.definition.discovery import discover, handlers
from saga.kit.definition.variables import field_errors
from saga.stack.tokens import find_tokens

app = typer.Typer()


@app.command("deploy")
def deploy_command(
    files: Annotated[
        list[Path] | None, typer.Argument(help="BPMN and form files; all of bpmn/ if none is named.")
    ] = None,
    port_offset: PortOffset = 0,
) -> None:
    """Deploy diagrams and forms to the engine."""
    given = files or resources()
    for line in asyncio.run(deploy(Addresses.of(port_offset), given)):
        typer.echo(f"Deployed {line}")
    for line in _unserved(given):
        typer.echo(line, err=True)


@app.command("start")
def start_command(
    file: Annotated[
        str, typer.Argument(metavar="ORDER", help="A file with the order's JSON, or - for standard input.")
    ],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the instance's end and print how it ended.")] = False,
    message: Annotated[
        bool, typer.Option("--message", help="Publish OrderPlaced: sent twice, the order still starts once.")
    ] = False,
    port_offset: PortOffset = 0,
) -> None:
    """Check an order and start its process instance."""
    if wait and message:
        hint = "--wait needs an instance to wait for, and a message has none yet; leave one of the two out."
        raise bad_input(hint)
    order = _read(file)
    find_tokens(port_offset)
    asyncio.run(_start(order, Addresses.of(port_offset), wait=wait, message=message))


def _unserved(files: Iterable[Path]) -> Iterator[str]:
    """Yield a line for each task type of diagrams that no worker of ours does: orders would stand still there."""
    from saga.operations.reconcile.manual_tasks import TASK_TYPE  # noqa: PLC0415 - `saga start` does without the reconciler's imports

    served = handlers(discover(order_fulfillment.steps)).keys() | {TASK_TYPE}
    for file in files:
        found = task_types(file.read_bytes()) if file.suffix == ".bpmn" else {}
        # An expression names its type only when the process runs.
        for task_type in sorted(name for name in found.keys() - served if not name.startswith("=")):
            elements = ", ".join(found[task_type])
            yield (
                f"No worker of this project does {task_type} ({elements} in {file.name}): an instance waits there "
                "until another one does."
            )


async def _start(order: Order, addresses: Addresses, *, wait: bool, message: bool) -> None:
    await _check_skus(order, addresses)
    console = Console()
    variables = order.model_dump(mode="json", by_alias=True)
    if message:
        await place(addresses, order.order_id, variables)
        console.print(f"Order {order.order_id}: OrderPlaced is published.")
        return
    async with engine(addresses) as client:
        key, ended = await create(client, variables, wait=wait)
    console.print(f"Order {order.order_id}: instance {key}", highlight=False)
    if (page := addresses.instance_page(key)) is not None:
        console.print(page, highlight=False, soft_wrap=True)
    if ended is not None:
        console.print(f"Order {order.order_id}: {ended}", highlight=False, markup=False, soft_wrap=True)


def _read(file: str) -> Order:
    """Read and check an order.

    Raises:
        Failure: It cannot be read, is no JSON, or a field is wrong; every such field is named.
    """
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"Cannot read {file}: {error.strerror if isinstance(error, OSError) else 'it is no UTF-8 text'}."
        raise bad_input(message) from error
    name = "standard input" if file == "-" else file
    try:
        json.loads(text)
        return Order.model_validate_json(text)
    except RecursionError:
        message = f"{name} is no order: it is nested too deeply. Nothing was started."
        raise bad_input(message) from None
    except json.JSONDecodeError as error:
        message = f"{name} is no JSON: {error.msg} at line {error.lineno}, column {error.colno}. Nothing was started."
        raise bad_input(message) from None
    except ValidationError as error:
        lines = "\n".join(f"  {each.field}: {each.message}" for each in field_errors(error))
        message = f"{name} is no order. Nothing was started; mend these fields:\n{lines}"
        raise bad_input(message) from None
    except ValueError:
        message = f"{name} is no order: a number in it has too many digits. Nothing was started."
        raise bad_input(message) from None


class _Product(BaseModel):
    sku: str


class _Catalogue(BaseModel):
    products: list[_Product]


async def _check_skus(order: Order, addresses: Addresses) -> None:
    """Refuse articles that the catalogue does not have; the process would reject them too, but later."""
    try:
        async with Participant.at(addresses, "orders", read_tokens()) as orders:
            known = sorted(product.sku for product in (await orders.read("read", "/products", _Catalogue)).products)
    except Failure as failure:
        message = f"Nothing was started, for nobody can say what is for sale. {failure}"
        raise Failure(message) from None
    wrong = [
        f"  items[{index}].sku: there is no such article"
        for index, item in enumerate(order.items)
        if item.sku not in known
    ]
    if wrong:
        lines = ["The order names articles that are not for sale. Nothing was started; mend these fields:", *wrong]
        message = "\n".join([*lines, f"For sale: {', '.join(known)}"])
        raise bad_input(message)
