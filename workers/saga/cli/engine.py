"""`saga engine`: run the embedded engine in the foreground, back its log up, or print its records."""

import gc
import sys
from collections.abc import Sequence

import typer

from saga.cli.output import output_failure
from saga.clients.failure import Failure

app = typer.Typer(add_completion=False)


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def engine(context: typer.Context) -> None:
    """Run the embedded engine."""
    # Options are argparse's: Typer's would import pydantic, which takes as long as the rest of the engine's start.
    from saga.engine.errors import CommandError  # noqa: PLC0415 - other commands do without the engine

    try:
        match context.args:
            case ["backup", *arguments]:
                from saga.engine import backup  # noqa: PLC0415 - the same

                backup.run(arguments, "saga engine backup")
            case ["records", *arguments]:
                _print_records(arguments)
            case arguments:
                # A tenth of the start would go into looking for garbage; the engine turns it on once it is started.
                gc.disable()
                from saga.engine.command import run  # noqa: PLC0415 - the same

                run(arguments, "saga engine")
    except CommandError as error:
        raise Failure(str(error)) from None


def _print_records(arguments: Sequence[str]) -> None:
    """Print records until there are no more, the reader has gone, or Ctrl-C."""
    from saga.engine import record_pages  # noqa: PLC0415 - other commands do without the engine

    try:
        for page in record_pages.run(arguments, "saga engine records"):
            sys.stdout.write(page)
            if output_failure():
                return  # `main` says why.
    except KeyboardInterrupt:
        return
