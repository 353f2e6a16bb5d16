"""`saga deploy` and `saga start`: bring the process and its orders to the engine."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import grpc
import httpx
import stamina
import typer
from pydantic import BaseModel, ValidationError
from pyzeebe import ZeebeClient
from pyzeebe.errors import (
    InvalidOAuthCredentialsError,
    MessageAlreadyExistsError,
    ProcessDefinitionNotFoundError,
    ProcessInvalidError,
    ProcessTimeoutError,
    ZeebeBackPressureError,
    ZeebeDeadlineExceeded,
    ZeebeGatewayUnavailableError,
)
from rich.console import Console

from workers.cli.addresses import Addresses, PortOffset
from workers.cli.failure import Failure, bad_input
from workers.kit.connection import open_channel
from workers.kit.step import field_errors
from workers.order import Order

PROCESS = "order-fulfillment"
DIAGRAMS = Path(__file__).parents[2] / "bpmn"
_WAIT_SECONDS = 600
_MESSAGE_TTL_MS = 3_600_000

app = typer.Typer()


class Ended(BaseModel, extra="ignore"):
    """How an instance ended, as its end event says."""

    class Refusal(BaseModel, extra="ignore"):
        """Which refusal led there."""

        code: str
        message: str

    outcome: str | None = None
    refusal: Refusal | None = None


@asynccontextmanager
async def engine(addresses: Addresses) -> AsyncIterator[ZeebeClient]:
    """Open the engine's client API; what it cannot do becomes a `Failure` that says where it was looked for."""
    channel = open_channel(addresses.engine)
    try:
        yield ZeebeClient(channel)
    except (ZeebeGatewayUnavailableError, ZeebeDeadlineExceeded) as error:
        message = (
            f"The engine at {addresses.engine.address} does not answer. Start it with `saga up`, or set ZEEBE_ADDRESS."
        )
        raise Failure(message) from error
    except InvalidOAuthCredentialsError as error:
        message = f"The engine's OAuth server refused the credentials: {error}"
        raise Failure(message) from error
    finally:
        await channel.close()


async def deploy(addresses: Addresses, files: list[Path]) -> list[str]:
    """Deploy diagrams together and say what was deployed, a line each.

    Raises:
        Failure: A file is missing, the engine refuses a diagram, or it cannot be reached.
    """
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        message = f"There is no file {', '.join(missing)}."
        raise bad_input(message)
    async with engine(addresses) as client:
        try:
            response = await client.deploy_resource(*files)
        except ProcessInvalidError as error:
            reason = error.__cause__.details() if isinstance(error.__cause__, grpc.aio.AioRpcError) else error
            message = f"The engine refuses the diagram; nothing was deployed.\n{reason}"
            raise bad_input(message) from error
    return [
        f"{deployed.bpmn_process_id} version {deployed.version} (process definition {deployed.process_definition_key})"
        for deployed in response.deployments
        if hasattr(deployed, "bpmn_process_id")
    ]


@app.command("deploy")
def deploy_command(
    files: Annotated[list[Path] | None, typer.Argument(help="BPMN files; every one in bpmn/ if none is named.")] = None,
    port_offset: PortOffset = 0,
) -> None:
    """Deploy the diagrams to the engine."""
    for line in asyncio.run(deploy(Addresses.of(port_offset), files or sorted(DIAGRAMS.glob("*.bpmn")))):
        typer.echo(f"Deployed {line}")


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
    asyncio.run(_start(_read(file), Addresses.of(port_offset), wait=wait, message=message))


async def _start(order: Order, addresses: Addresses, *, wait: bool, message: bool) -> None:
    await _check_skus(order, addresses)
    console = Console()
    variables = order.model_dump(mode="json", by_alias=True)
    async with engine(addresses) as client:
        if message:
            await _publish(client, order, variables)
            console.print(f"Order {order.order_id}: OrderPlaced is published.")
            return
        key, ended = await create(client, variables, wait=wait)
    console.print(f"Order {order.order_id}: instance {key}", highlight=False)
    if addresses.operate:
        console.print(addresses.instance_page(key), highlight=False, soft_wrap=True)
    if ended is not None:
        why = f" ({ended.refusal.code}: {ended.refusal.message})" if ended.refusal else ""
        console.print(f"Order {order.order_id}: {ended.outcome}{why}", highlight=False, markup=False)


async def create(client: ZeebeClient, variables: dict[str, object], *, wait: bool) -> tuple[int, Ended | None]:
    """Create an instance; return its key and, with `wait`, how it ended.

    Raises:
        Failure: The process is not deployed, or the instance did not end in time.
    """
    try:
        # A broker that pushes back has not taken the command up, so asking again cannot start a second instance.
        async for attempt in stamina.retry_context(
            on=ZeebeBackPressureError, attempts=None, timeout=30.0, wait_initial=0.02, wait_max=1.0
        ):
            with attempt:
                if not wait:
                    return (await client.run_process(PROCESS, variables)).process_instance_key, None
                ended = await client.run_process_with_result(PROCESS, variables, timeout=_WAIT_SECONDS * 1000)
                return ended.process_instance_key, Ended.model_validate(ended.variables)
    except ProcessDefinitionNotFoundError as error:
        message = f"The process {PROCESS} is not deployed. Run `saga deploy` first; nothing was started."
        raise Failure(message) from error
    except ProcessTimeoutError as error:
        message = (
            f"The instance was started but has not ended within {_WAIT_SECONDS} seconds; Operate shows where it is."
        )
        raise Failure(message) from error
    except ZeebeBackPressureError as error:
        message = "The broker has been too busy for 30 seconds; nothing was started. Try again later."
        raise Failure(message) from error
    raise AssertionError  # stamina returns or raises


async def _publish(client: ZeebeClient, order: Order, variables: dict[str, object]) -> None:
    try:
        await client.publish_message(
            "OrderPlaced",
            correlation_key=order.order_id,
            variables=variables,
            time_to_live_in_milliseconds=_MESSAGE_TTL_MS,
            message_id=order.order_id,
        )
    except MessageAlreadyExistsError as error:
        message = f"Order {order.order_id} was placed before; its message is still there, and nothing more was started."
        raise Failure(message) from error


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
    except json.JSONDecodeError as error:
        message = f"{name} is no JSON: {error.msg} at line {error.lineno}, column {error.colno}. Nothing was started."
        raise bad_input(message) from None
    except ValidationError as error:
        lines = "\n".join(f"  {each.field}: {each.message}" for each in field_errors(error))
        message = f"{name} is no order. Nothing was started; mend these fields:\n{lines}"
        raise bad_input(message) from None


async def _check_skus(order: Order, addresses: Addresses) -> None:
    """Refuse articles that the catalogue does not have; the process would reject them too, but later."""
    orders = addresses.services["orders"]
    try:
        async with httpx.AsyncClient(base_url=orders, timeout=10.0) as http:
            response = (await http.get("/products")).raise_for_status()
    except httpx.HTTPError as error:
        message = f"The orders service at {orders} cannot be asked for its catalogue ({type(error).__name__}); nothing was started."
        raise Failure(message) from error
    known = sorted(product["sku"] for product in response.json()["products"])
    wrong = [
        f"  items[{index}].sku: there is no such article"
        for index, item in enumerate(order.items)
        if item.sku not in known
    ]
    if wrong:
        listed = "\n".join(wrong)
        message = f"The order names articles that are not for sale. Nothing was started; mend these fields:\n{listed}\nFor sale: {', '.join(known)}"
        raise bad_input(message)
