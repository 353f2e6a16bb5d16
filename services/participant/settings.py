"""What a service reads from its environment."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AnyHttpUrl, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from services.participant.provisioning import StartError

_S = TypeVar("_S", bound=BaseSettings)


def _check(url: SecretStr) -> SecretStr:
    message = "is no PostgreSQL URL, as postgresql://user:password@host/database"
    try:
        backend = make_url(url.get_secret_value()).get_backend_name()
    except (ArgumentError, ValueError):
        raise ValueError(message) from None
    if backend not in {"postgresql", "postgres"}:
        raise ValueError(message)
    return url


DatabaseUrl = Annotated[SecretStr, AfterValidator(_check)]


class LimitSettings(BaseSettings):
    """`MAX_BODY`, `RATE_LIMIT` and `BARRIER_RETENTION_DAYS`."""

    max_body: Annotated[int, Field(ge=1)] = 65_536
    """Bytes that a request's body may have."""
    rate_limit: Annotated[int, Field(ge=1)] = 1000
    """Requests in a second that this process takes of one caller, or of one address where the caller is unknown."""
    barrier_retention_days: Annotated[int, Field(ge=1, le=36_500)] = 400
    """Days for which a command's repeat is recognised: more than any saga lasts, its retries and incidents included."""

    @property
    def retention(self) -> timedelta:
        """The age from which rows may be forgotten."""
        return timedelta(days=self.barrier_retention_days)


class ServiceSettings(LimitSettings):
    """`HOST`, `PORT`, `DATABASE_URL`, `EVENTS_URL` and the limits."""

    host: str = "127.0.0.1"
    """The address to listen on; a container says `0.0.0.0`."""
    port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """The TCP port to listen on; 0 takes a free one. Without it, the service's own default."""
    database_url: DatabaseUrl | None = None
    """An administrator's `postgresql://` URL: schema, role and tables are made with it where they are missing."""
    events_url: AnyHttpUrl | None = None
    """Where the relay delivers the events; without it they stay in the outbox."""


class RoleSettings(BaseSettings):
    """`<SERVICE>_DATABASE_URL`, as in `INVENTORY_DATABASE_URL`."""

    database_url: DatabaseUrl | None = None
    """The service's own `postgresql://` URL; nothing is provisioned where it is set."""

    @classmethod
    def of(cls, service: str) -> "RoleSettings":
        """Read the settings of one service."""
        return cls(_env_prefix=f"{service.upper()}_")


def read_settings(kind: Callable[[], _S]) -> _S:
    """Read the environment.

    Raises:
        StartError: it is not as it must be; the message names each wrong variable, and never its value.
    """
    try:
        return kind()
    except ValidationError as error:
        wrong = "; ".join(f"{each['loc'][-1]!s} {each['msg']}" for each in error.errors())
        message = f"The environment is not as it must be: {wrong}."
        raise StartError(message) from None
