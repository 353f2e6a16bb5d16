"""Whose ports are when they are taken."""

import errno
import socket
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, suppress

from saga.clients.ports import HOST, Ports
from saga.stack.errors import PortTakenError


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
