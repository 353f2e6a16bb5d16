"""The Dockerfile: its steps are followed without Docker, and what they make is started."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import services
from services.participant.server import router_of
from tests.compose import dockerfile
from tests.compose.composefile import ROOT, ComposeFile
from tests.compose.image import Image
from tests.services.participant import tokens_of
from tests.stack import free_port

_LOCK = ROOT / "requirements.lock"
built = pytest.mark.proof
"""Of a test for which the image is built, as its Dockerfile says."""


def test_both_stages_are_the_same_pinned_python() -> None:
    build, final = (dockerfile.only(stage, "FROM").words[0] for stage in dockerfile.stages())
    assert build == final
    assert re.fullmatch(r"python:3\.12\.\d+-slim-[a-z]+", final)


def test_the_image_s_user_is_not_root_and_is_the_one_that_compose_names(compose: ComposeFile) -> None:
    user = dockerfile.only(dockerfile.stages()[-1], "USER").text
    assert int(user.split(":")[0]) > 0
    assert {service.user for service in compose.ours.values()} == {user}


def test_everything_that_is_copied_is_sent_to_the_engine() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"}
    copied = {
        instruction.words[0]
        for stage in dockerfile.stages()
        for instruction in stage
        if instruction.keyword == "COPY" and not instruction.text.startswith("--from")
    }
    assert copied == sent
    assert all((ROOT / path).exists() for path in copied)


@pytest.mark.parametrize("platform", ["x86_64-manylinux_2_28", "aarch64-manylinux_2_28"])
def test_every_dependency_has_a_wheel_for_the_image_s_python(platform: str, tmp_path: Path) -> None:
    found = re.match(r"python:(\d+\.\d+)", dockerfile.only(dockerfile.stages()[-1], "FROM").text)
    assert found is not None
    options = ["--require-hashes", "--only-binary=:all:", "--python-platform", platform, "--python-version", found[1]]
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--target", tmp_path, "-r", _LOCK, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [[], ["services"], ["workers"], ["deploy"]])
@built
def test_the_built_image_s_saga_explains_itself(arguments: list[str], image: Image) -> None:
    done = image.run(*arguments, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: saga" in done.stdout


@built
def test_the_built_image_deploys_its_own_diagrams(image: Image) -> None:
    done = image.run("deploy", ZEEBE_ADDRESS=f"127.0.0.1:{free_port()}", ZEEBE_INSECURE_CONNECTION="true")
    # No engine is there; that it was asked says that the diagrams were found.
    assert done.returncode == 1
    assert "does not answer" in done.stderr


@pytest.mark.parametrize("name", services.PORTS)
@built
def test_the_built_image_s_participant_needs_a_database(name: str, image: Image) -> None:
    tokens = tokens_of(router_of(name))
    done = image.run("services", name, PORT=str(free_port()), **tokens)
    assert done.returncode != 0
    assert "DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", services.PORTS)
@built
def test_the_built_image_s_participant_needs_a_token_of_each_of_its_callers(name: str, image: Image) -> None:
    done = image.run("services", name, PORT=str(free_port()))
    assert done.returncode != 0
    assert all(variable in done.stderr for variable in tokens_of(router_of(name)))
    assert "Traceback" not in done.stderr
