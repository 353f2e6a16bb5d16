"""`saga tasks`: what people are asked by user tasks, and their answers."""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markdown import Markdown

from saga.cli.options import PortOffset
from saga.clients.addresses import Addresses
from saga.clients.failure import bad_input
from saga.operations.tasks.answering import Answering, WrongAnswerError
from saga.operations.tasks.display import show_form, show_list, show_question, show_task, show_value, show_variables
from saga.operations.tasks.forms import Form, Json, Question, Text
from saga.operations.tasks.template import fill, is_true
from saga.operations.tasks.user_tasks import UserTask, UserTasks

app = typer.Typer()

Key = Annotated[int, typer.Argument(metavar="KEY", help="The user task's key.")]


@app.callback(invoke_without_command=True)
def list_command(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: all of each.")] = False,
    port_offset: PortOffset = 0,
) -> None:
    """List, show, claim and answer user tasks; without a command, list the open ones."""
    if context.invoked_subcommand is None:
        asyncio.run(_list(_console(), Addresses.of(port_offset), as_json=as_json))
    elif as_json:
        message = "--json lists the open tasks: `saga tasks --json`, without a command."
        raise bad_input(message)


@app.command("show")
def show_command(key: Key, port_offset: PortOffset = 0) -> None:
    """Show a task with its form, or with its variables where it has none that can be shown here."""
    asyncio.run(_show(_console(), Addresses.of(port_offset), key))


@app.command("claim")
def claim_command(
    key: Key,
    *,
    name: Annotated[str, typer.Option("--as", envvar="USER", metavar="NAME", help="Who it is assigned to.")],
    port_offset: PortOffset = 0,
) -> None:
    """Assign a task to yourself, so that nobody else takes it."""
    if not (name.strip() and name.isprintable()):
        message = "--as is a name, on one line."
        raise bad_input(message)
    asyncio.run(_claim(_console(), Addresses.of(port_offset), key, name))


@app.command("answer")
def answer_command(
    key: Key,
    *,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="The answer to one field; repeatable.")
    ] = None,
    variables: Annotated[
        str | None, typer.Option(metavar="JSON", help="Answers as a JSON object, by the names of the variables.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; what is not given stays as it is.")] = False,
    port_offset: PortOffset = 0,
) -> None:
    """Answer a task: asks what its form asks, checks the answers, and completes the task."""
    texts, given = _texts(set_ or []), _object(variables)
    if not yes and not sys.stdin.isatty():
        message = "Standard input is no terminal: give --set or --variables, and say --yes. Nothing was changed."
        raise bad_input(message)
    asyncio.run(_answer(_console(), Addresses.of(port_offset), key, texts, given, asks=not yes))


async def _list(console: Console, addresses: Addresses, *, as_json: bool) -> None:
    async with UserTasks.at(addresses) as tasks:
        found = await tasks.open()
    if as_json:
        typer.echo(json.dumps([task.model_dump(mode="json", by_alias=True) for task in found], indent=2))
    else:
        show_list(console, found)


async def _show(console: Console, addresses: Addresses, key: int) -> None:
    async with UserTasks.at(addresses) as tasks:
        task = await tasks.get(key)
        form, variables = await tasks.form(task), await tasks.variables(task)
    show_task(console, task)
    if form is None or form.foreign:
        show_variables(console, variables)
        console.print(f"\n{_why_variables(form)} To answer: saga tasks answer {key} --variables '{{…}}'")
        return
    show_form(console, form, Answering(form, variables))
    console.print(f"To answer: saga tasks answer {key}", soft_wrap=True)


async def _claim(console: Console, addresses: Addresses, key: int, name: str) -> None:
    async with UserTasks.at(addresses) as tasks:
        task = await tasks.get(key)
        await tasks.claim(task, name)
    console.print(f"Assigned to {name}: {task.title} ({key}).", soft_wrap=True)


async def _answer(  # noqa: PLR0913 - the command's own options
    console: Console,
    addresses: Addresses,
    key: int,
    texts: dict[str, str],
    given: dict[str, Json] | None,
    *,
    asks: bool,
) -> None:
    async with UserTasks.at(addresses) as tasks:
        task = await tasks.get(key)
        form, variables = await tasks.form(task), await tasks.variables(task)
        if form is None or form.foreign:
            answers = given if given is not None and not texts else _refuse(form, key)
        else:
            answering = Answering(form, variables)
            answering.give(given or {}, texts)
            if asks:
                show_task(console, task)
                _ask(console, form, answering, {*(given or {}), *texts})
            answers = answering.submit()
        if asks:
            _confirm(console, task, answers)
        await tasks.complete(task, answers)
    console.print(f"Answered: {task.title} ({key}). Instance {task.process_instance_key} goes on.", soft_wrap=True)


def _ask(console: Console, form: Form, answering: Answering, given: set[str]) -> None:
    """Show the form from top to bottom, and ask each field that is open and not given yet."""
    for part in form.parts:
        if isinstance(part, Text):
            if not is_true(part.hide, answering.context):
                console.print(Markdown(fill(part.text, answering.context)))
        elif not answering.is_hidden(part):
            show_question(console, part, answering)
            if part.key in given or not answering.is_open(part):
                show_value(console, answering.value(part))
            else:
                _ask_one(console, part, answering)
        console.print()


def _ask_one(console: Console, question: Question, answering: Answering) -> None:
    held = answering.value(question)
    default = "" if held is None else held if isinstance(held, str) else json.dumps(held)
    while True:
        typed: str = typer.prompt(question.key, default=default, show_default=bool(default))
        try:
            answering.put_text(question, typed)
        except WrongAnswerError as error:
            console.print(f"{question.key}: {error}", soft_wrap=True)
        else:
            return


def _confirm(console: Console, task: UserTask, answers: Mapping[str, Json]) -> None:
    show_variables(console, answers)
    if not typer.confirm(f"Complete {task.title} with these?"):
        message = "Nothing was changed."
        raise bad_input(message)


def _texts(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    texts = {name: value for name, _, value in pairs}
    if not all(name and sign for name, sign, _ in pairs) or len(texts) != len(pairs):
        message = "--set takes NAME=VALUE, each name once."
        raise bad_input(message)
    return texts


def _object(text: str | None) -> dict[str, Json] | None:
    """Read --variables; an error must not repeat a value."""
    if text is None:
        return None
    try:
        value = json.loads(text, parse_constant=_no_number)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        message = '--variables is not a JSON object. Write it as \'{"name": "value"}\'.'
        raise bad_input(message)
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _why_variables(form: Form | None) -> str:
    if form is None:
        return "The task has no form."
    return f"Its form has parts that a terminal cannot ask: {', '.join(form.foreign)}."


def _refuse(form: Form | None, key: int) -> NoReturn:
    message = (
        f"{_why_variables(form)} Answer with --variables alone; `saga tasks show {key}` shows the variables that it "
        "sees. Nothing was changed."
    )
    raise bad_input(message)


def _console() -> Console:
    return Console(highlight=False, markup=False)
