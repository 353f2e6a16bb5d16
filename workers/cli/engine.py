"""`saga engine`: run the embedded engine in the foreground."""

import gc

import typer

from workers.failure import Failure

app = typer.Typer(add_completion=False)


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def engine(context: typer.Context) -> None:
    """Run the embedded engine."""
    # A tenth of the start would go into looking for garbage; the engine turns it on again once it is started.
    gc.disable()
    # Its options are argparse's: Typer's would import pydantic, which takes as long as the rest of the engine's start.
    from workers.engine.command import run  # noqa: PLC0415 - other commands do without the engine
    from workers.engine.errors import CannotStart  # noqa: PLC0415 - the same

    try:
        run(context.args, "saga engine")
    except CannotStart as error:
        raise Failure(str(error)) from None
