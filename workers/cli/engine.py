"""`saga engine`: run the embedded engine in the foreground."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from workers.failure import Failure, bad_input

app = typer.Typer()


@app.command()
def engine(  # noqa: PLR0913 - each is an option of the command line
    data: Annotated[Path | None, typer.Option(help="Folder of the log. Default: ./engine-data.")] = None,
    *,
    memory: Annotated[bool, typer.Option("--memory", help="Keep nothing: for tests.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="gRPC port; 0 for any.")] = 26500,
    rest_port: Annotated[int, typer.Option(help="REST port; 0 for any.")] = 8080,
    management_port: Annotated[int, typer.Option(help="Port of health and metrics; 0 for any.")] = 9600,
    clock: Annotated[
        Literal["system", "controlled"], typer.Option(help="Let clients set the engine's time.")
    ] = "system",
    fault: Annotated[str | None, typer.Option(help="Fail on purpose, e.g. crash:after-commit,100.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File of tokens, or user:password, one per line, that clients must send.")
    ] = None,
    insecure_host: Annotated[
        bool, typer.Option("--insecure-host", help="Listen on another address than loopback without tokens.")
    ] = False,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="Name that HTTP clients may call this machine by; may be repeated.")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="Zone of local times in expressions and timers.")] = "UTC",
    first_key: Annotated[int | None, typer.Option(help="Where a new log starts to count keys.", min=0)] = None,
) -> None:
    """Run the embedded Zeebe-compatible engine."""
    if memory and data:
        message = "--memory keeps nothing, so --data cannot be given with it."
        raise bad_input(message)
    # The engine's imports take as long as the rest of its start; other commands do without.
    import uvloop  # noqa: PLC0415 - see above

    from workers.engine.access import access_rules  # noqa: PLC0415 - see above
    from workers.engine.errors import CannotStart  # noqa: PLC0415 - see above
    from workers.engine.server import Options, Ports, serve  # noqa: PLC0415 - see above

    folder = None if memory else data or Path("engine-data")

    def show(ports: Ports) -> None:
        """Print where the engine is; a script may wait for the last line."""
        kept = "in memory, gone at the end" if folder is None else folder.absolute()
        typer.echo(f"Engine with Zeebe's API of 8.9. Data: {kept}")
        typer.echo(f"gRPC:       {host}:{ports.gateway}")
        typer.echo(f"REST:       http://{host}:{ports.rest}")
        typer.echo(f"Management: http://{host}:{ports.management}")
        typer.echo("Ready. Ctrl-C stops it.")

    try:
        options = Options(
            access=access_rules(host, token_file, allowed_host or (), insecure_host=insecure_host),
            data=folder,
            host=host,
            port=port,
            rest_port=rest_port,
            management_port=management_port,
            controlled_clock=clock == "controlled",
            fault=fault,
            zone=time_zone,
            first_key=first_key,
        )
        uvloop.run(serve(options, show))
    except CannotStart as error:
        raise Failure(str(error)) from None
