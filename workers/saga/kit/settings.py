"""The settings of a worker process, from the environment variables of Camunda's own clients."""

from pathlib import Path

from pydantic import AliasChoices, Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_LONGEST = 86_400.0
"""A day in seconds: more is a typing error, and too much for a timer."""
_MOST = 100_000


class EngineSettings(BaseSettings):
    """The engine's address and credentials."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    address: str = Field("127.0.0.1:26500", validation_alias=AliasChoices("ZEEBE_ADDRESS", "ZEEBE_GRPC_ADDRESS"))
    """`host:port`; a scheme (grpc, http: plain text; grpcs, https: TLS) decides on TLS, `dns:///` does not."""
    insecure: bool | None = Field(
        None, validation_alias=AliasChoices("ZEEBE_INSECURE_CONNECTION", "ZEEBE_INSECURE", "CAMUNDA_INSECURE")
    )
    ca_certificate: str | None = Field(None, validation_alias="ZEEBE_CA_CERTIFICATE_PATH")
    client_id: str | None = Field(None, validation_alias=AliasChoices("CAMUNDA_CLIENT_ID", "ZEEBE_CLIENT_ID"))
    client_secret: SecretStr | None = Field(
        None, validation_alias=AliasChoices("CAMUNDA_CLIENT_SECRET", "ZEEBE_CLIENT_SECRET")
    )
    oauth_url: HttpUrl | None = Field(
        None, validation_alias=AliasChoices("CAMUNDA_OAUTH_URL", "ZEEBE_AUTHORIZATION_SERVER_URL")
    )
    audience: str | None = Field(None, validation_alias=AliasChoices("CAMUNDA_TOKEN_AUDIENCE", "ZEEBE_TOKEN_AUDIENCE"))
    scope: str | None = Field(None, validation_alias=AliasChoices("CAMUNDA_TOKEN_SCOPE", "ZEEBE_TOKEN_SCOPE"))
    cluster_id: str | None = Field(None, validation_alias="CAMUNDA_CLUSTER_ID")
    cluster_region: str = Field("bru-2", validation_alias="CAMUNDA_CLUSTER_REGION")

    @property
    def names_a_cluster(self) -> bool:
        """Whether the environment has an engine's address; otherwise one is embedded."""
        return bool(self.model_fields_set & {"address", "cluster_id"})


class WorkerSettings(BaseSettings):
    """The settings of a worker process; every duration is in seconds."""

    model_config = SettingsConfigDict(env_prefix="WORKER_", extra="ignore", env_ignore_empty=True)

    name: str = "saga-workers"
    lease: float = Field(10.0, gt=0.0, le=_LONGEST)
    """How long the broker leaves a job to this worker (the job timeout); extended while the job runs."""
    window: int = Field(256, ge=1, le=_MOST)
    """Active jobs at most, over all task types."""
    window_per_type: int = Field(64, ge=1, le=_MOST)
    """Active jobs at most, per task type."""
    threads: int = Field(16, ge=1, le=_MOST)
    """Threads for blocking steps at most."""
    activations: int = Field(3, ge=1, le=_MOST)
    """How often a job is begun without a reply; then it becomes an incident."""
    drain: float = Field(20.0, ge=0.0, le=_LONGEST)
    """How long a stopping worker lets its jobs end before it releases them."""
    patience: float = Field(30.0, ge=0.0, le=_LONGEST)
    """How long a task type may be unreachable before `/ready` reports it."""
    host: str = "127.0.0.1"
    """Where `/live`, `/ready` and `/metrics` answer; `unix:PATH` is a socket."""
    port: int = Field(8100, ge=0, le=65_535)
    state: Path = Path("~/.local/state/saga-workers")
    """A folder of this machine; the keys of running jobs in it outlive a worker that is killed."""
