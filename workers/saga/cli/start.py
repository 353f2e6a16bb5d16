"""`saga start`: check the variables of a saga, and start it."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from saga.cli.options import PortOffset
from saga.cli.sagas import chosen
from saga.clients.addresses import Addresses
from saga.clients.failure import bad_input
from saga.clients.zeebe import create, engine, place
from saga.kit.definition.registry import SagaRegistry
from saga.kit.definition.saga import SagaDefinition
from saga.kit.definition.variables import Variables, field_errors
from saga.stack.tokens import find_tokens

app = typer.Typer()


@app.command("start")
def start_command(
    file: Annotated[
        str, typer.Argument(metavar="ORDER", help="A file with the order's JSON, or - for standard input.")
    ],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the instance's end and print how it ended.")] = False,
    message: Annotated[
        bool, typer.Option("--message", help="Publish the start message: sent twice, the order still starts once.")
    ] = False,
    process: Annotated[
        str | None, typer.Option(help="The id of its process; by default the one whose key the JSON has.")
    ] = None,
    port_offset: PortOffset = 0,
) -> None:
    """Check an order, or what another process starts with, and start its process instance."""
    if wait and message:
        hint = "--wait needs an instance to wait for, and a message has none yet; leave one of the two out."
        raise bad_input(hint)
    sagas = chosen(process)
    text = _read(file)
    saga, started = _check(text, "standard input" if file == "-" else file, sagas)
    find_tokens(port_offset)
    asyncio.run(_start(saga, started, Addresses.of(port_offset), wait=wait, message=message))


def _read(file: str) -> str:
    """Read a file, or standard input.

    Raises:
        Failure: It cannot be read.
    """
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"Cannot read {file}: {error.strerror if isinstance(error, OSError) else 'it is no UTF-8 text'}."
        raise bad_input(message) from error


def _check(text: str, name: str, sagas: SagaRegistry) -> tuple[SagaDefinition, Variables]:
    """Return the process that a document starts, and its variables.

    Raises:
        Failure: It is not valid JSON, its process cannot be told, or fields are invalid; each of them is named.
    """
    nouns = sagas.nouns
    try:
        saga = _process_of(json.loads(text), name, sagas.definitions)
        nouns = saga.noun
        return saga, saga.model.model_validate_json(text)
    except RecursionError:
        message = f"{name} is no {nouns}: it is nested too deeply. Nothing was started."
        raise bad_input(message) from None
    except json.JSONDecodeError as error:
        message = f"{name} is no JSON: {error.msg} at line {error.lineno}, column {error.colno}. Nothing was started."
        raise bad_input(message) from None
    except ValidationError as error:
        lines = "\n".join(f"  {each.field}: {each.message}" for each in field_errors(error))
        message = f"{name} is no {nouns}. Nothing was started; mend these fields:\n{lines}"
        raise bad_input(message) from None
    except ValueError:
        message = f"{name} is no {nouns}: a number in it has too many digits. Nothing was started."
        raise bad_input(message) from None


def _process_of(document: object, name: str, definitions: Sequence[SagaDefinition]) -> SagaDefinition:
    """Return the only process there is, or the one whose key a document has.

    Raises:
        Failure: It has the key of none of them, or of several.
    """
    if len(definitions) == 1:
        return definitions[0]
    having = [each for each in definitions if isinstance(document, Mapping) and each.key in document]
    if len(having) == 1:
        return having[0]
    keys = ", ".join(f"{each.key} ({each.process})" for each in having or definitions)
    message = (
        f"{name} has {'several' if having else 'none'} of the variables {keys}: name its process by --process. "
        "Nothing was started."
    )
    raise bad_input(message)


async def _start(saga: SagaDefinition, started: Variables, addresses: Addresses, *, wait: bool, message: bool) -> None:
    if saga.check_start is not None:
        await saga.check_start(started, addresses)
    console = Console()
    variables = started.model_dump(mode="json", by_alias=True)
    named = f"{saga.noun.capitalize()} {started.saga_id}"
    if message:
        await place(addresses, saga, started.saga_id, variables)
        console.print(f"{named}: {saga.start_message} is published.")
        return
    async with engine(addresses) as client:
        key, ended = await create(client, saga.process, variables, wait=wait)
    console.print(f"{named}: instance {key}", highlight=False)
    if (page := addresses.instance_page(key)) is not None:
        console.print(page, highlight=False, soft_wrap=True)
    if ended is not None:
        console.print(f"{named}: {ended}", highlight=False, markup=False, soft_wrap=True)
