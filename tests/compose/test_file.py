"""What docker-compose.yml says, held by the file alone: no engine is asked."""

import re
import shutil
import subprocess
import tomllib

import pytest
from pydantic import ValidationError

from tests.compose import composefile, dockerfile
from tests.compose.composefile import OUR_IMAGE, ROOT, ComposeFile
from workers.kit.settings import WorkerSettings

_PINNED = re.compile(r"^(?:[a-z0-9.-]+/)*[a-z0-9-]+:\d+\.\d+(?:\.\d+)?(?:-[a-z]+)?$")


def test_the_file_has_only_keys_and_types_of_the_compose_specification() -> None:
    composefile.parse(composefile.read())
    if _has_compose():
        done = subprocess.run(
            ["docker", "compose", "config", "--quiet"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_a_misspelt_key_is_found() -> None:
    raw = composefile.read()
    raw["services"]["orders"]["enviroment"] = raw["services"]["orders"].pop("environment")
    with pytest.raises(ValidationError, match="enviroment"):
        composefile.parse(raw)


def test_every_image_is_pinned_to_a_version(compose: ComposeFile) -> None:
    assert [service.image for service in compose.services.values() if not _PINNED.match(service.image)] == []


def test_camunda_s_images_are_one_version_of_8_6(compose: ComposeFile) -> None:
    tags = {
        service.image.partition(":")[2] for service in compose.services.values() if service.image.startswith("camunda/")
    }
    assert len(tags) == 1
    assert tags.pop().startswith("8.6.")


def test_our_image_has_the_version_of_the_distribution(compose: ComposeFile) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert {service.image for service in compose.ours.values()} == {f"{OUR_IMAGE}:{version}"}


def test_no_container_of_ours_has_root_a_capability_or_a_writable_root_file_system(compose: ComposeFile) -> None:
    for name, service in compose.ours.items():
        assert service.user is not None, name
        assert int(service.user.split(":")[0]) > 0, name
        assert service.cap_drop == ["ALL"], name
        assert service.read_only, name


def test_no_container_gains_privileges(compose: ComposeFile) -> None:
    for name, service in compose.services.items():
        assert service.security_opt == ["no-new-privileges:true"], name


def test_every_port_is_open_to_this_machine_only(compose: ComposeFile) -> None:
    published = [port for service in compose.services.values() for port in service.ports]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_no_port_of_the_host_is_published_twice(compose: ComposeFile) -> None:
    published = [port.split(":")[1] for service in compose.services.values() for port in service.ports]
    assert sorted(published) == sorted(set(published))


def test_every_published_port_can_be_moved(compose: ComposeFile) -> None:
    assert len(composefile.port_variables()) == sum(len(service.ports) for service in compose.services.values())


def test_whatever_goes_on_running_has_a_health_check_and_is_restarted(compose: ComposeFile) -> None:
    for name, service in compose.services.items():
        if name != "deploy":
            assert service.healthcheck is not None, name
            assert service.restart == "unless-stopped", name


def test_every_dependency_is_a_service_that_can_come_to_its_condition(compose: ComposeFile) -> None:
    for name, service in compose.services.items():
        for needed, dependency in service.depends_on.items():
            ends = compose.services[needed].healthcheck is None
            assert dependency.condition == ("service_completed_successfully" if ends else "service_healthy"), name


def test_the_end_of_the_one_shot_deploy_is_waited_for_so_that_up_wait_accepts_it(compose: ComposeFile) -> None:
    waiting = [name for name, service in compose.services.items() if "deploy" in service.depends_on]
    assert waiting == ["workers", "reconciler"]


def test_every_named_volume_is_declared_and_used(compose: ComposeFile) -> None:
    used = {volume.partition(":")[0] for service in compose.services.values() for volume in service.volumes}
    assert used == set(compose.volumes)


def test_a_java_heap_leaves_half_of_its_container_s_memory(compose: ComposeFile) -> None:
    heaps = {
        name: int(match[1])
        for name, service in compose.services.items()
        for value in service.environment.values()
        if (match := re.search(r"-Xmx(\d+)m", value))
    }
    assert heaps.keys() == {"opensearch", "zeebe", "operate", "tasklist"}
    for name, heap in heaps.items():
        assert 2 * heap <= compose.services[name].deploy.resources.limits.mebibytes, name


@pytest.mark.parametrize("name", ["workers", "reconciler"])
def test_jobs_in_hand_have_the_time_to_end_before_a_container_is_killed(compose: ComposeFile, name: str) -> None:
    assert float(compose.services[name].stop_grace_period.removesuffix("s")) > WorkerSettings().drain


def test_what_tells_a_job_that_kills_its_worker_outlives_the_container(compose: ComposeFile) -> None:
    workers = compose.services["workers"]
    assert f"workers:{workers.environment['WORKER_STATE']}" in workers.volumes
    made = [instruction.text for instruction in dockerfile.stages()[-1] if instruction.keyword == "RUN"]
    assert f"install -d -o saga -g saga {workers.environment['WORKER_STATE']}" in made


def _has_compose() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return asked.returncode == 0
