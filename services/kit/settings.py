"""What a service reads from its environment."""

from pydantic import SecretStr
from pydantic_settings import BaseSettings


class ServiceSettings(BaseSettings):
    """`HOST`, `PORT` and `DATABASE_URL`."""

    host: str = "127.0.0.1"
    """The address to listen on; a container says `0.0.0.0`."""
    port: int | None = None
    """The TCP port to listen on; 0 takes a free one. Without it, the service's own default."""
    database_url: SecretStr | None = None
    """An administrator's `postgresql://` URL: schema, role and tables are made with it where they are missing."""


class RoleSettings(BaseSettings):
    """`<SERVICE>_DATABASE_URL`, as in `INVENTORY_DATABASE_URL`."""

    database_url: SecretStr | None = None
    """The service's own `postgresql://` URL; nothing is provisioned where it is set."""

    @classmethod
    def of(cls, service: str) -> "RoleSettings":
        """Read the settings of one service."""
        return cls(_env_prefix=f"{service.upper()}_")
