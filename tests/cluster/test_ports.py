"""The ports: the ecosystem's numbers, and a taken one named with its owner."""

import os
import re
import socket
from collections.abc import Iterator

import psutil
import pytest

import services
from saga.clients.ports import Ports
from saga.stack.errors import PortTakenError
from saga.stack.ports import require_free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_without_an_offset_they_are_those_that_camunda_s_tools_expect() -> None:
    ports = Ports.of(0)
    assert (ports.zeebe, ports.rest, ports.management) == (26500, 8088, 9600)


def test_an_offset_moves_every_port() -> None:
    assert Ports.of(1000).all() == [port + 1000 for port in Ports.of(0).all()]
    assert Ports.of(1000).services == {name: port + 1000 for name, port in services.PORTS.items()}


def test_no_two_parts_share_a_port() -> None:
    ports = Ports.of(0).all()
    assert len(set(ports)) == len(ports)


def test_a_taken_port_is_named_with_its_owner_and_with_what_to_do(taken: int) -> None:
    owner = re.escape(f"{psutil.Process().name()} (pid {os.getpid()})")
    with pytest.raises(PortTakenError, match=rf"Port {taken} is taken by {owner}.*--port-offset \d+"):
        require_free([taken])


def test_free_ports_are_nobody_s() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    require_free([port])


def test_a_port_whose_last_connections_linger_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # the side that closes first keeps the port in TIME_WAIT
        client.close()
    require_free([port])
