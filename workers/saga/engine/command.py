"""The command line of the engine."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import uvloop

from ..feel.zones import load_zone
from .access import access_rules
from .arguments import make_parser, number
from .core import times
from .errors import CannotStart
from .server import Options, Ports, serve

_SECOND = 1000
"""In milliseconds: the shortest retention."""


def run(arguments: Sequence[str], name: str) -> None:
    """Run an engine as the command line says, until SIGTERM or Ctrl-C; `name` is the command's.

    Raises:
        CannotStart: It cannot be run like this; the message says why.
        SystemExit: The arguments are wrong, or ask for help.
    """
    options = parse(arguments, name)
    uvloop.run(serve(options, lambda ports: _show(options, ports)))


def parse(arguments: Sequence[str], name: str) -> Options:
    """Return the options that the command line names.

    Raises:
        CannotStart: Others could reach the engine without a token, or the token file or the zone cannot be used.
        SystemExit: The arguments are wrong, or ask for help.
    """
    given = _parser(name).parse_args(arguments)
    if given.time_zone != "UTC" and load_zone(given.time_zone) is None:
        message = f"There is no time zone {given.time_zone!r}; name one such as Europe/Berlin."
        raise CannotStart(message)
    access = access_rules(given.host, given.token_file, given.allowed_host, insecure_host=given.insecure_host)
    return Options(
        access=access,
        data=None if given.memory else given.data,
        host=given.host,
        port=given.port,
        rest_port=given.rest_port,
        management_port=given.management_port,
        controlled_clock=given.clock == "controlled",
        fault=given.fault,
        zone=given.time_zone,
        first_key=given.first_key,
        shows_values=given.values,
        retention=given.retention,
    )


def _parser(name: str) -> argparse.ArgumentParser:
    commands = f"Commands: {name} backup, {name} records; each has --help."
    parser = make_parser(name, "Run the embedded engine.", commands)
    port = number((1 << 16) - 1, "a port")
    add = parser.add_argument
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--data", type=Path, default=Path("engine-data"), help="folder of the log (%(default)s)")
    where.add_argument("--memory", action="store_true", help="keep nothing, for tests")
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=port, default=26500, help="gRPC port, 0 for any (%(default)s)")
    add("--rest-port", type=port, default=8080, help="REST port, 0 for any (%(default)s)")
    add("--management-port", type=port, default=9600, help="port of health and metrics, 0 for any (%(default)s)")
    add("--clock", choices=["system", "controlled"], default="system", help="let clients set the engine's time")
    add("--fault", metavar="NAME", help="fail on purpose, such as crash:after-commit,100")
    add(
        "--token-file", type=Path, metavar="FILE", help="tokens, or user:password, one per line, that clients must send"
    )
    add("--insecure-host", action="store_true", help="listen on another address than loopback without tokens")
    add("--allowed-host", action="append", default=[], metavar="NAME", help="name that HTTP clients may call it by")
    add("--time-zone", default="UTC", metavar="ZONE", help="zone of local times in expressions (%(default)s)")
    add(
        "--first-key",
        type=number((1 << 50) - 1, "a number from 0 to 2^50 - 1"),
        metavar="N",
        help="where a new log starts to count keys (the time)",
    )
    add("--retention", type=_duration, metavar="DURATION", help="remove instances that ended so long ago, such as P7D")
    add("--values", action="store_true", help="show variables and messages in GET /records too")
    return parser


def _duration(text: str) -> int:
    """Return an ISO 8601 duration of at least a second in milliseconds; months and years are those of 1970.

    Raises:
        argparse.ArgumentTypeError: The text is not one.
    """
    try:
        milliseconds = times.after(text, 0)
    except ValueError:
        milliseconds = 0
    if not text.isascii() or milliseconds < _SECOND:
        message = f"{text} is not a duration of a second or more, such as P7D or PT12H"
        raise argparse.ArgumentTypeError(message)
    return milliseconds


def _show(options: Options, ports: Ports) -> None:
    """Print where the engine is; a script may wait for the last line."""
    kept = options.data.absolute() if options.data else "in memory, gone at the end"
    host = f"[{options.host}]" if ":" in options.host else options.host
    lines = (
        f"Engine with Zeebe's API of 8.9. Data: {kept}",
        f"gRPC:       {host}:{ports.gateway}",
        f"REST:       http://{host}:{ports.rest}",
        f"Management: http://{host}:{ports.management}",
        "Ready. Ctrl-C stops it.",
    )
    print("\n".join(lines), flush=True)  # noqa: T201 - it is what the command says
