"""Where the parts of a stack listen."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from saga.common import project

HOST = "127.0.0.1"
"""Every part listens on this machine only: the embedded stack has well-known passwords."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One stack's ports: the numbers that the ecosystem expects, each plus the stack's offset."""

    zeebe: int = 26500
    rest: int = 8088
    management: int = 9600
    postgres: int = 15432
    workers: int = 8100
    reconciler: int = 8110
    services: Mapping[str, int] = field(default_factory=project.ports)

    @classmethod
    def of(cls, port_offset: int) -> "Ports":
        """Return the ports of the stack at `port_offset`."""
        default = cls()
        moved = {name: getattr(default, name) + port_offset for name in _fixed()}
        return cls(**moved, services={name: port + port_offset for name, port in default.services.items()})

    def of_part(self, name: str) -> tuple[int, ...]:
        """Return the ports that the part `name` listens on."""
        if name == "engine":
            return self.zeebe, self.rest, self.management
        return (self.services.get(name) or getattr(self, name),)

    def all(self) -> list[int]:
        """Return every port of the stack."""
        return [*(getattr(self, name) for name in _fixed()), *self.services.values()]


def service_urls(ports: Ports) -> dict[str, str]:
    """Return each participant's base URL by the environment name of it; what the environment says wins."""
    # A mesh, or another machine's service, may stand there.
    return {
        f"{name.upper()}_URL": os.environ.get(f"{name.upper()}_URL") or f"http://{HOST}:{port}"
        for name, port in ports.services.items()
    }


def _fixed() -> list[str]:
    """Name the parts that every stack has; which participants there are, the folders in `services` say."""
    return [each.name for each in fields(Ports) if each.name != "services"]
