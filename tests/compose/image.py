"""Our image without Docker: the Dockerfile's own steps, run into a directory of the test's."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.compose import dockerfile
from tests.compose.composefile import ROOT

_VENV = "/opt/venv"


@dataclass(frozen=True, slots=True)
class Image:
    """What the final stage holds: the virtual environment and the packages, and how it is started."""

    venv: Path
    app: Path

    def command(self, *arguments: str) -> list[str]:
        """Return the entry point with a container's command behind it."""
        (program,) = json.loads(dockerfile.only(dockerfile.stages()[-1], "ENTRYPOINT").text)
        return [str(self.venv / "bin" / program), *arguments]

    def environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """Return the environment that a container of this image has; nothing of this process's own reaches it."""
        defined = dockerfile.environment(dockerfile.stages()[-1])
        path = defined.pop("PATH").replace(_VENV, str(self.venv)).replace("$PATH", os.defpath)
        defined["PYTHONPATH"] = defined["PYTHONPATH"].replace("/app", str(self.app))
        return {**defined, "PATH": path, **own}

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a container's command to its end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.app,
            env=self.environment(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def build(folder: Path) -> Image:
    """Follow both stages: the build stage's RUN, then the final stage's COPY."""
    image = Image(folder / "venv", folder / "app")
    image.app.mkdir(parents=True)
    first, final = dockerfile.stages()
    for instruction in first:
        if instruction.keyword == "RUN":
            script = instruction.text.replace(_VENV, str(image.venv)).replace(
                "python -m venv", f"{sys.executable} -m venv"
            )
            subprocess.run(["sh", "-ec", script], cwd=ROOT, check=True, timeout=600, env=_outside())
    for instruction in final:
        if instruction.keyword == "COPY" and not instruction.text.startswith("--from"):
            source, target = instruction.words
            shutil.copytree(
                ROOT / source, image.app / target, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
            )
    return image


def _outside() -> dict[str, str]:
    """This process's environment without the virtual environment that the tests run in."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
