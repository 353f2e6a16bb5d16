"""Listening sockets for HTTP."""

import socket

from .errors import PortTaken


def listen(host: str, port: int) -> socket.socket:
    """Listen on a port; connections wait until somebody serves them.

    Raises:
        PortTaken: It cannot listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A port whose connections have just been closed is free; one that somebody listens on is not.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError:
        listening.close()
        raise PortTaken(host, port) from None
    return listening
