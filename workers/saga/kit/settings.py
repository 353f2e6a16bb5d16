"""What a worker process reads from its environment, under the names that Camunda's own clients use."""

from pathlib import Path

from pydantic import AliasChoices, Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_LONGEST = 86_400.0
"""Seconds of a day: more is a slip of the pen, and at some size no timer takes it."""
_MOST = 100_000


class EngineSettings(BaseSettings):
    """Where the engine is and how to be let in."""

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
        """Whether the environment says where an engine is; where it does, none is embedded."""
        return bool(self.model_fields_set & {"address", "cluster_id"})


class WorkerSettings(BaseSettings):
    """How a worker process works; every duration is in seconds."""

    model_config = SettingsConfigDict(env_prefix="WORKER_", extra="ignore", env_ignore_empty=True)

    name: str = "saga-workers"
    lease: float = Field(10.0, gt=0.0, le=_LONGEST)
    """How long a job is ours before the broker gives it to another worker (the job timeout); extended while it runs."""
    window: int = Field(256, ge=1, le=_MOST)
    """Active jobs at most, over all task types."""
    window_per_type: int = Field(64, ge=1, le=_MOST)
    """Active jobs at most, per task type."""
    threads: int = Field(16, ge=1, le=_MOST)
    """Jobs at most that run on a thread at once, those of the steps that block."""
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
    """A folder of this machine in which the keys of running jobs outlive a worker that is killed."""
