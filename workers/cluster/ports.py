"""The ports of a stack, and whose they are when they are taken."""

import errno
import os
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, fields

import services
from workers.cluster.errors import PortTakenError

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
    services: Mapping[str, int] = field(default_factory=lambda: services.PORTS)

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


def require_free(ports: Iterable[int]) -> None:
    """Check that nobody listens on `ports`.

    Raises:
        PortTakenError: at least one is taken; names every taken port with its owner.
    """
    taken = [port for port in ports if not _is_free(port)]
    if not taken:
        return
    owners = _owners(taken)
    who = "; ".join(f"port {port} is taken by {owners.get(port, 'a process of another user')}" for port in taken)
    message = f"{who}. Stop that process, or start this stack beside it with --port-offset {_free_offset()}."
    raise PortTakenError(message[0].upper() + message[1:])


def _is_free(port: int) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # As the servers do: the connections of the run before, still in TIME_WAIT, take no port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            return False
    return True


def _owners(ports: Collection[int]) -> dict[int, str]:
    """Name the processes that listen on `ports`, as far as this user may see them."""
    import psutil  # noqa: PLC0415 - only where a port is taken; every part of the stack knows the ports

    owners: dict[int, list[str]] = {}
    for port, pid in sorted(set(_listeners())):
        with suppress(psutil.Error):
            if port in ports:
                owners.setdefault(port, []).append(f"{psutil.Process(pid).name()} (pid {pid})")
    return {port: " and ".join(names) for port, names in owners.items()}


def _listeners() -> Iterator[tuple[int, int]]:
    """Give the port and the process id of everything that listens, as far as this user may see it."""
    import psutil  # noqa: PLC0415 - as above

    try:
        for each in psutil.net_connections(kind="tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.pid is not None:
                yield each.laddr.port, each.pid
    except psutil.AccessDenied:
        # macOS lets a user see the connections of their own processes only. Process by process takes far longer.
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                for own in process.net_connections(kind="tcp"):
                    if own.status == psutil.CONN_LISTEN and own.laddr:
                        yield own.laddr.port, process.pid


def _free_offset() -> int:
    """Return an offset at which every port is free, to propose."""
    offsets = range(1_000, 20_000, 500)
    return next((each for each in offsets if all(_is_free(port) for port in Ports.of(each).all())), offsets[0])
