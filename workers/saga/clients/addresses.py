"""Where everything is: what the environment says, and the embedded stack's ports for the rest."""

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from saga.clients.environment import read
from saga.clients.failure import bad_input
from saga.clients.ports import HOST, Ports
from saga.common import project
from saga.kit.settings import EngineSettings

_HOST_AND_PORT = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")


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
        """Read the environment; what it does not name is the embedded stack's at `port_offset`.

        Raises:
            Failure: It names something that is not the URL of a server.
        """
        ports = Ports.of(port_offset)
        engine = read(EngineSettings)
        external = engine.names_a_cluster
        if not external:
            engine = engine.model_copy(update={"address": f"{HOST}:{ports.zeebe}"})
        own = None if external else f"http://{HOST}:{ports.rest}"
        return cls(
            engine=engine,
            services={
                name: _url(f"{name.upper()}_URL") or f"http://{HOST}:{port + port_offset}"
                for name, port in project.ports().items()
            },
            reconciler=_url("RECONCILER_URL") or f"http://{HOST}:{ports.reconciler}",
            rest=_url("CAMUNDA_REST_ADDRESS") or own,
            operate=os.environ.get("CAMUNDA_OPERATE_BASE_URL") or None,
            tasklist=os.environ.get("CAMUNDA_TASKLIST_BASE_URL") or None,
        )

    def service(self, name: str) -> str:
        """Return the base URL of a participant; one that is not among ours is named by the environment alone.

        Raises:
            Failure: Nothing says where it is.
        """
        url = self.services.get(name) or _url(f"{name.upper()}_URL")
        if not url:
            message = f"A step asks the participant {name}, and nothing says where it is. Set {name.upper()}_URL."
            raise bad_input(message)
        return url

    def instance_page(self, key: int) -> str | None:
        """Return the address of an instance's page in Operate; None where no Operate is known."""
        return f"{self.operate}/processes/{key}" if self.operate else None


def _url(variable: str) -> str | None:
    """Return the URL of a server that the environment names, None where it names none.

    Raises:
        Failure: It is none; the message says what would be, and holds no password.
    """
    value = os.environ.get(variable, "").strip()
    if not value:
        return None
    try:
        url = urlsplit(value)
        is_url = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        example = f", as http://{value}" if _HOST_AND_PORT.fullmatch(value) else ""
        message = f"{variable} must be a URL that begins with http:// or https://{example}."
        raise bad_input(message)
    return value
