"""Where everything is: what the environment says, and the embedded stack's ports for the rest."""

import os
from dataclasses import dataclass

import services
from workers.cluster.ports import HOST, Ports
from workers.environment import read
from workers.failure import bad_input
from workers.kit.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class Addresses:
    """The engine, its REST API, the participants and, where they are known, Camunda's web applications."""

    engine: EngineSettings
    services: dict[str, str]
    """Base URLs of the participants by name."""
    rest: str | None
    """Base URL of the engine's REST API, before `/v2`; None where the environment names a cluster and not this."""
    operate: str | None
    """Base URL of Operate, for links only; None where the environment names none."""
    tasklist: str | None
    """Base URL of Tasklist, for links only; None where the environment names none."""
    reconciler: str
    """Base URL of the reconciler, which need not be there."""

    @classmethod
    def of(cls, port_offset: int) -> "Addresses":
        """Read the environment; what it does not name is the embedded stack's at `port_offset`."""
        ports = Ports.of(port_offset)
        engine = read(EngineSettings)
        external = engine.names_a_cluster
        if not external:
            engine = engine.model_copy(update={"address": f"{HOST}:{ports.zeebe}"})
        own = None if external else f"http://{HOST}:{ports.rest}"
        return cls(
            engine=engine,
            services={
                name: os.environ.get(f"{name.upper()}_URL") or f"http://{HOST}:{port + port_offset}"
                for name, port in services.PORTS.items()
            },
            reconciler=os.environ.get("RECONCILER_URL") or f"http://{HOST}:{ports.reconciler}",
            rest=os.environ.get("CAMUNDA_REST_ADDRESS") or own,
            operate=os.environ.get("CAMUNDA_OPERATE_BASE_URL") or None,
            tasklist=os.environ.get("CAMUNDA_TASKLIST_BASE_URL") or None,
        )

    def service(self, name: str) -> str:
        """Return the base URL of a participant; one that is not among ours is named by the environment alone.

        Raises:
            Failure: Nothing says where it is.
        """
        url = self.services.get(name) or os.environ.get(f"{name.upper()}_URL")
        if not url:
            message = f"A step asks the participant {name}, and nothing says where it is. Set {name.upper()}_URL."
            raise bad_input(message)
        return url

    def instance_page(self, key: int) -> str | None:
        """Return the address of an instance's page in Operate; None where no Operate is known."""
        return f"{self.operate}/processes/{key}" if self.operate else None
