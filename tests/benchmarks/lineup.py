"""The peers: how each is installed and started, and which one this machine cannot run."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from saga.stack.errors import StackError
from saga.stack.node import node_environment
from tests.benchmarks.peer import Peer

NAMES = RAW, OURS, PLAIN, NODE, JAVA = "raw", "ours", "plain pyzeebe", "Node", "Java"

_HERE = Path(__file__).parent / "peers"
_INSTALL_SECONDS = 300
_JAVA_PROGRAMS = ("java", "javac", "mvn")


@dataclass(frozen=True, slots=True)
class LineUp:
    """Who takes part in a run."""

    peers: dict[str, Peer]
    """By name, in the order of the reports."""
    left_out: dict[str, str]
    """The extra peers that this machine cannot run: the reason by name."""


def line_up(work: Path) -> LineUp:
    """Install what is missing; what is built for the Java peer goes below `work`.

    Raises:
        StackError: A package cannot be installed; the message says which.
    """
    peers = [_python(RAW, "raw"), _python(OURS, "ours"), _python(PLAIN, "plain"), _node()]
    left_out = {}
    if missing := [program for program in _JAVA_PROGRAMS if shutil.which(program) is None]:
        left_out[JAVA] = f"no {' or '.join(missing)} on the PATH"
    else:
        peers.append(_java(work / "java"))
    return LineUp({peer.name: peer for peer in peers}, left_out)


def _python(name: str, module: str) -> Peer:
    return Peer(name, [sys.executable, "-m", f"tests.benchmarks.peers.{module}"])


def _node() -> Peer:
    folder = _HERE / "node"
    environment = node_environment()
    path = environment["PATH"]
    if not (folder / "node_modules").exists():
        npm = shutil.which("npm", path=path) or "npm"
        _run(
            "npm cannot install the Node peer (is there a network?)",
            *(npm, "ci", "--no-audit", "--no-fund"),
            folder=folder,
            environment=environment,
        )
    return Peer(NODE, [shutil.which("node", path=path) or "node", str(folder / "worker.mjs")])


def _java(build: Path) -> Peer:
    _run(
        "Maven cannot build the Java peer (is there a network, and a JDK 17 or newer?)",
        *("mvn", "--batch-mode", "--quiet", f"-Dbuild.folder={build}"),
        *("compiler:compile", "dependency:copy-dependencies"),
        folder=_HERE / "java",
    )
    # One collector thread on a small machine; all else is Java's default.
    options = ("-XX:+UseSerialGC", "-Xmx256m")
    path = os.pathsep.join([str(build / "classes"), str(build / "dependency" / "*")])
    return Peer(JAVA, [shutil.which("java") or "java", *options, "-cp", path, "EmptyWorker"])


def _run(failure: str, *command: str, folder: Path, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=_INSTALL_SECONDS
    )
    if done.returncode != 0:
        message = f"{failure}:\n{done.stdout}{done.stderr}"
        raise StackError(message)
