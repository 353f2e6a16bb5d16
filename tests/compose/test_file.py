"""What docker-compose.yml says, held by the file alone: no engine is asked."""

import re
import shutil
import subprocess
import tomllib

import pytest
from pydantic import ValidationError

from saga.kit.settings import WorkerSettings
from tests.compose import composefile, dockerfile
from tests.compose.composefile import CAMUNDA, OUR_IMAGE, ROOT, ComposeFile

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


@pytest.mark.parametrize("name", ["workers", "reconciler"])
def test_jobs_in_hand_have_the_time_to_end_before_a_container_is_killed(compose: ComposeFile, name: str) -> None:
    assert float(compose.services[name].stop_grace_period.removesuffix("s")) > WorkerSettings().drain


def test_what_tells_a_job_that_kills_its_worker_outlives_the_container(compose: ComposeFile) -> None:
    workers = compose.services["workers"]
    assert f"workers:{workers.environment['WORKER_STATE']}" in workers.volumes
    made = [instruction.text for instruction in dockerfile.stages()[-1] if instruction.keyword == "RUN"]
    assert f"install -d -o saga -g saga {workers.environment['WORKER_STATE']}" in made


def test_the_engine_s_log_outlives_the_container_and_is_its_user_s_alone(compose: ComposeFile) -> None:
    engine = compose.services["engine"]
    data = engine.command[engine.command.index("--data") + 1]
    assert f"engine:{data}" in engine.volumes
    made = [instruction.text for instruction in dockerfile.stages()[-1] if instruction.keyword == "RUN"]
    assert f"install -d -o saga -g saga -m 700 {data}" in made


def test_a_cluster_takes_the_engine_s_place_only_with_an_image_that_the_user_names() -> None:
    raw = composefile.read(CAMUNDA)
    engine = raw["services"]["engine"]
    assert re.fullmatch(r"\$\{CAMUNDA_IMAGE:\?[^}]+\}", engine["image"])
    # What the other services ask for is at the same ports.
    base = composefile.read()["services"]
    assert engine["ports"] == base["engine"]["ports"]
    assert raw["services"]["ready"]["image"] == base["engine"]["image"]


def test_no_image_of_a_vendor_s_engine_is_named_in_either_file() -> None:
    for file in (composefile.FILE, CAMUNDA):
        for image in re.findall(r"image: *(\S+)", file.read_text(encoding="utf-8")):
            assert image.startswith(("saga-workers:", "postgres:", "${CAMUNDA_IMAGE:?")), image


def _has_compose() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return asked.returncode == 0
