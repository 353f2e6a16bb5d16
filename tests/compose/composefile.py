"""docker-compose.yml as the tests read it: the part of the Compose Specification that we use, and nothing beside it."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
CAMUNDA = ROOT / "docker-compose.camunda.yml"
"""What puts a cluster in the embedded engine's place."""
OUR_IMAGE = "saga-workers"

_DEFAULT = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")
_MEBIBYTES = {"M": 1, "G": 1024}

Duration = Annotated[str, Field(pattern=r"^\d+s$")]
Bytes = Annotated[str, Field(pattern=r"^\d+[MG]$")]


class _Strict(BaseModel):
    """A misspelt or misplaced key is an error, and a value of another type is not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Limits(_Strict):
    cpus: str = Field(pattern=r"^\d+\.\d+$")
    memory: Bytes

    @property
    def mebibytes(self) -> int:
        return int(self.memory[:-1]) * _MEBIBYTES[self.memory[-1]]


class Resources(_Strict):
    limits: Limits


class Deploy(_Strict):
    resources: Resources


class HealthCheck(_Strict):
    test: list[str] = Field(min_length=2)
    interval: Duration
    timeout: Duration
    retries: int
    start_period: Duration

    @property
    def command(self) -> list[str]:
        """What runs in the container, without the word that says how."""
        return self.test[1:]


class Dependency(_Strict):
    condition: Literal["service_healthy", "service_completed_successfully"]


class Service(_Strict):
    image: str
    build: Literal["."] | None = None
    command: list[str] = []
    environment: dict[str, str] = {}
    ports: list[str] = []
    volumes: list[str] = []
    tmpfs: list[str] = []
    depends_on: dict[str, Dependency] = {}
    healthcheck: HealthCheck | None = None
    user: str | None = None
    init: bool = False
    read_only: bool = False
    cap_drop: list[str] = []
    security_opt: list[str]
    ulimits: dict[str, int] = {}
    shm_size: str | None = None
    deploy: Deploy
    restart: Literal["unless-stopped", "on-failure:3"]
    stop_grace_period: Duration = "10s"

    @property
    def is_ours(self) -> bool:
        return self.build is not None


class ComposeFile(_Strict):
    name: str
    services: dict[str, Service]
    volumes: dict[str, None]

    @property
    def ours(self) -> dict[str, Service]:
        """The services that are built from our Dockerfile."""
        return {name: service for name, service in self.services.items() if service.is_ours}


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads `!override` as the value that it is put before."""


_LOADER_OF = {yaml.MappingNode: _Loader.construct_mapping, yaml.SequenceNode: _Loader.construct_sequence}
_Loader.add_constructor("!override", lambda loader, node: _LOADER_OF[type(node)](loader, node, deep=True))


def read(file: Path = FILE) -> dict[str, Any]:
    """Return a file's content as YAML says it."""
    content: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader's kind
    return content


def parse(raw: dict[str, Any]) -> ComposeFile:
    """Return the content with every variable at its default.

    Raises:
        pydantic.ValidationError: it has a key that we do not know, or a value of a wrong type.
    """
    known = {key: value for key, value in raw.items() if not key.startswith("x-")}
    return ComposeFile.model_validate(_with_defaults(known))


def port_variables() -> list[str]:
    """Return the names of the variables that move a published port."""
    return re.findall(r"127\.0\.0\.1:\$\{([A-Z_]+):-", FILE.read_text(encoding="utf-8"))


def _with_defaults(value: object) -> object:
    """Replace `${NAME:-default}` and `$$` as Compose does where the environment names nothing."""
    match value:
        case str():
            return _DEFAULT.sub(r"\1", value).replace("$$", "$")
        case list():
            return [_with_defaults(item) for item in value]
        case dict():
            return {key: _with_defaults(item) for key, item in value.items()}
    return value
