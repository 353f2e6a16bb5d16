"""HTTP servers inside of a process that has other work too."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

_BACKLOG = 2048


class EmbeddedServer(uvicorn.Server):
    """A server that leaves the process's signals to its owner; set `should_exit` to stop it.

    uvicorn would raise the signals again at its end, which makes each stop a failure.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers."""
        yield


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens; at `::` it takes IPv4 as well, which the system may have turned off.

    Raises:
        OSError: The address cannot be had.
    """
    if ":" not in host:
        return socket.create_server((host, port), backlog=_BACKLOG)
    both = host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=both, backlog=_BACKLOG)
