"""Routes about the engine itself: topology, status, clock, and a page for people."""

from functools import cache
from html import escape
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version

from starlette.responses import HTMLResponse, Response

from . import fields
from .call import Call, answer, empty
from .kinds import parse_integer
from .problems import Problem

LEVEL = "8.9.0"
"""The level of the protocol; clients choose by it what they send."""
_BROKER = "saga-engine"
"""The broker's host, as in the gateway's topology: who this is."""

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>saga engine</title>
<h1>saga engine</h1>
<p>An embedded, Zeebe-compatible process engine for development, tests and demos. Production is a Camunda 8 cluster.</p>
<ul>
<li>Version: {version}, for clients of Camunda {level}</li>
<li>gRPC: {host}:{port}</li>
<li>REST: <a href="v2/topology">{rest}v2</a></li>
</ul>
"""


@cache
def _version() -> str:
    try:
        return version("saga-workers")
    except PackageNotFoundError:  # a container has the folders, and no distribution installed
        return "unreleased"


async def page(call: Call) -> Response:
    """Say in a browser what this is and where it can be reached."""
    url = call.request.base_url
    named = {"version": _version(), "level": LEVEL, "host": url.hostname, "port": call.engine.port, "rest": url}
    return HTMLResponse(_PAGE.format(**{name: escape(str(value)) for name, value in named.items()}))


async def topology(call: Call) -> Response:
    """Return the one broker with its one partition."""
    partition = {"partitionId": 1, "role": "leader", "health": "healthy", "state": "active"}
    broker = {
        "nodeId": 0,
        "brokerId": "0",
        "host": _BROKER,
        "port": call.engine.port,
        "partitions": [partition],
        "version": LEVEL,
    }
    return answer(
        {
            "brokers": [broker],
            "clusterId": f"saga-engine-{_version()}",
            "clusterSize": 1,
            "partitionsCount": 1,
            "replicationFactor": 1,
            "gatewayVersion": LEVEL,
            "lastCompletedChangeId": "-1",
        }
    )


async def status(call: Call) -> Response:
    """Say that the engine works; the tables can be read."""
    await call.engine.reader.read(lambda connection: connection.execute("SELECT 1").fetchone())
    return empty()


PIN = {"timestamp": parse_integer}


async def pin_clock(call: Call) -> Response:
    """Stop the engine's clock at a time; what is due until then happens before the answer."""
    _check_clock(call)
    given = await call.fields(PIN)
    fields.required(given, "timestamp")
    await call.send("CLOCK", "PIN", {"time": given["timestamp"]})
    return empty()


async def reset_clock(call: Call) -> Response:
    """Let the engine's clock be the machine's again."""
    _check_clock(call)
    await call.fields({}, needed=False)
    await call.send("CLOCK", "RESET")
    return empty()


def _check_clock(call: Call) -> None:
    if not call.engine.controlled_clock:
        message = "The clock is the machine's; start the engine with --clock controlled"
        raise Problem(HTTPStatus.FORBIDDEN, "FORBIDDEN", message)
