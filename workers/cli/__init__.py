"""The `saga` command."""

import sys
from importlib.util import find_spec

import typer
from rich.console import Console
from rich.text import Text

from workers.cli import cancel, incidents, orders, purge, reconcile, run, tasks
from workers.failure import Failure

app = typer.Typer(
    name="saga",
    help="Order fulfillment as a saga: the stack, the process, its workers and participants.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would print a customer's order.
    pretty_exceptions_enable=False,
)
if find_spec("jgo"):
    # A container runs services and workers only and has none of the `embedded` extras; these commands need them.
    from workers.cli import demo, stack

    app.add_typer(stack.app)
    app.add_typer(demo.app)
app.add_typer(orders.app)
app.add_typer(run.app)
app.add_typer(cancel.app)
app.add_typer(purge.app)
app.add_typer(reconcile.app)
app.add_typer(incidents.app, name="incidents", help="What stands still, why, and how it goes on.")
app.add_typer(tasks.app, name="tasks", help="List, show, claim and answer user tasks.")


def main() -> None:
    """Run the command; what it cannot do is one message and an exit status, never a traceback."""
    try:
        app()
    except Failure as failure:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print("[bold red]Error:[/]", Text(str(failure)))
        sys.exit(failure.status)
