"""Where everything is: what the environment says, and the embedded stack's ports for the rest."""

import os
from dataclasses import dataclass

import services
from workers.cluster.ports import HOST, Ports
from workers.kit.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class Addresses:
    """The engine, the participants and, where it is known, Operate."""

    engine: EngineSettings
    services: dict[str, str]
    """Base URLs of the participants by name."""
    operate: str | None
    """Base URL of Operate, or None where the environment names a cluster but not its Operate."""

    @classmethod
    def of(cls, port_offset: int) -> "Addresses":
        """Read the environment; what it does not name is the embedded stack's at `port_offset`."""
        ports = Ports.of(port_offset)
        engine = EngineSettings()
        external = bool(engine.model_fields_set & {"address", "cluster_id"})
        if not external:
            engine = engine.model_copy(update={"address": f"{HOST}:{ports.zeebe}"})
        web = os.environ.get("CAMUNDA_OPERATE_BASE_URL")
        return cls(
            engine=engine,
            services={
                name: os.environ.get(f"{name.upper()}_URL", f"http://{HOST}:{port + port_offset}")
                for name, port in services.PORTS.items()
            },
            operate=web or (None if external else f"http://{HOST}:{ports.web}/operate"),
        )

    def instance_page(self, key: int) -> str:
        """Return the address of an instance's page in Operate."""
        return f"{self.operate}/processes/{key}"
