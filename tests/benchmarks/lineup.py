"""The four peers: how each is installed and started."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.peer import Peer
from workers.cluster.errors import StackError
from workers.cluster.node import node_environment

NAMES = RAW, OURS, PLAIN, NODE = "raw", "ours", "plain pyzeebe", "Node"

_HERE = Path(__file__).parent / "peers"
_NPM_SECONDS = 300


def line_up() -> dict[str, Peer]:
    """Install what is missing and return all four by name.

    Raises:
        StackError: A package cannot be installed; the message says which.
    """
    peers = (_python(RAW, "raw"), _python(OURS, "ours"), _python(PLAIN, "plain"), _node())
    return {peer.name: peer for peer in peers}


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


def _run(failure: str, *command: str, folder: Path | None = None, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=_NPM_SECONDS
    )
    if done.returncode != 0:
        message = f"{failure}:\n{done.stdout}{done.stderr}"
        raise StackError(message)
