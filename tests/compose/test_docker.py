"""The file's stack with Docker: the one test here that needs what a machine may not have."""

import os
import shutil
import subprocess

import pytest
from testcontainers.compose import DockerCompose

from saga.clients.ports import HOST
from tests.compose import composefile
from tests.compose.composefile import ROOT
from tests.stack import SAGA


@pytest.fixture
def engine() -> None:
    """A Docker engine that this user may use."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no Docker engine")


@pytest.mark.usefixtures("engine")
def test_docker_compose_brings_up_a_stack_that_fulfils_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    # A project and ports of the test's own: a stack that somebody runs from the same file is left alone.
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", f"saga-test-{os.getpid()}")
    for name in composefile.port_variables():
        monkeypatch.setenv(name, "0")
    with DockerCompose(ROOT, build=True, wait=True) as stack:
        monkeypatch.setenv("ZEEBE_ADDRESS", f"{HOST}:{stack.get_service_port('engine', 26500)}")
        monkeypatch.setenv("ORDERS_URL", f"http://{HOST}:{stack.get_service_port('orders', 8101)}")
        monkeypatch.setenv(
            "TOKEN_READ", composefile.parse(composefile.read()).services["orders"].environment["TOKEN_READ"]
        )
        order = [str(SAGA), "start", "bpmn/examples/fulfilled.json", "--wait"]
        done = subprocess.run(order, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "fulfilled" in done.stdout, done.stderr
