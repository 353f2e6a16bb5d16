"""The ports of a stack, and whose they are when they are taken."""

import errno
import socket
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, fields

import psutil

from workers.cluster.errors import PortTakenError

HOST = "127.0.0.1"
"""Every part listens on this machine only: the embedded stack has well-known passwords."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One stack's ports: the numbers that the ecosystem expects, each plus the stack's offset."""

    zeebe: int = 26500
    zeebe_command: int = 26501
    zeebe_internal: int = 26502
    web: int = 8080
    management: int = 9600
    opensearch: int = 19201
    postgres: int = 15432
    workers: int = 8100
    orders: int = 8101
    inventory: int = 8102
    payment: int = 8103
    shipping: int = 8104

    @classmethod
    def of(cls, port_offset: int) -> "Ports":
        """Return the ports of the stack at `port_offset`."""
        return cls(**{field.name: getattr(cls(), field.name) + port_offset for field in fields(cls)})


def require_free(ports: Iterable[int]) -> None:
    """Check that nobody listens on `ports`.

    Raises:
        PortTakenError: at least one is taken; names every taken port with its owner.
    """
    taken = [f"port {port} is taken by {owner(port)}" for port in ports if not _is_free(port)]
    if taken:
        message = (
            f"{'; '.join(taken)}. Stop that process, or start this stack beside it with --port-offset 1000 "
            "(any number that leads to free ports)."
        )
        raise PortTakenError(message[0].upper() + message[1:])


def owner(port: int) -> str:
    """Name the process that listens on `port`: its name and pid, as far as this user may see."""
    pids = sorted(set(_listeners(port)))
    if not pids:
        return "a process of another user"
    return " and ".join(f"{_name(pid)} (pid {pid})" for pid in pids)


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


def _listeners(port: int) -> Iterator[int]:
    """Yield the pids that listen on `port`. Process by process: macOS shows only the user's own connections."""
    for process in psutil.process_iter():
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.Error:
            continue
        if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections):
            yield process.pid


def _name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return "a process that just ended"
