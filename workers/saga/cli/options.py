"""Options that several commands share."""

from typing import Annotated

import typer

PortOffset = Annotated[
    int,
    typer.Option(
        envvar="SAGA_PORT_OFFSET",
        min=0,
        max=20_000,
        help="Added to every port of the embedded stack, so that two of them run side by side.",
    ),
]
