"""docker-compose.yml without Docker: each container becomes a process of this machine with the container's environment.

What a container isolates, a process has to be told: its ports are moved, and the names of the network become 127.0.0.1.
Everything else is the file's own: environment names and values, commands, dependencies and health checks.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom

import httpx

from saga.clients.ports import HOST, Ports
from saga.stack.errors import PortTakenError
from saga.stack.layout import Layout
from saga.stack.parts import Part, Probe
from saga.stack.ports import require_free
from saga.stack.postgres import postgres
from tests.compose.composefile import ComposeFile, Service
from tests.compose.image import Image

_LISTENS = {"postgres": (5432,), "reconciler": (8110,)}
"""The ports in the containers that are not open to the host."""


class Processes:
    """The containers' counterparts, for a supervisor to run; `deploy`, which ends, is left to the test."""

    def __init__(self, compose: ComposeFile, image: Image, home: Path) -> None:
        self._compose = compose
        self._image = image
        self._layout = Layout(home)
        inside = [(name, port) for name, service in compose.services.items() for port in _ports(name, service)]
        self._moved = dict(zip(inside, _free_ports(), strict=False))

    def parts(self) -> list[Part]:
        """Return the parts in the file's order; PostgreSQL is the embedded stack's."""
        return [self._part(name) for name in self._compose.services if name != "deploy"]

    def port(self, name: str, inside: int) -> int:
        """Return the port of this machine that stands for a container's."""
        return self._moved[name, inside]

    def environment(self, name: str) -> dict[str, str]:
        """Return a container's environment, its addresses moved to this machine."""
        service = self._compose.services[name]
        return {key: self._here(name, value) for key, value in service.environment.items()}

    def healthy(self, name: str) -> Probe:
        """Return a probe that is the container's own health check."""
        check = self._compose.services[name].healthcheck
        assert check is not None
        command = [self._here(name, word) for word in check.command]
        environment = self._image.environment(self.environment(name))

        async def probe(_client: httpx.AsyncClient) -> bool:
            process = await asyncio.create_subprocess_exec(
                *command, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
            return await process.wait() == 0

        return probe

    def _part(self, name: str) -> Part:
        service = self._compose.services[name]
        if name == "postgres":
            self._layout.data.mkdir(parents=True, exist_ok=True)
            password = self._layout.data / "postgres-password"
            password.write_text(service.environment["POSTGRES_PASSWORD"], encoding="ascii")
            return postgres(self._layout, Ports(postgres=self._moved["postgres", 5432]))
        return Part(
            name=name,
            command=self._image.command(*(self._here(name, word) for word in service.command)),
            environment=self._image.environment(self.environment(name)),
            directory=self._image.app,
            needs=frozenset(service.depends_on) - {"deploy"},
            ready=self.healthy(name),
        )

    def _here(self, name: str, text: str) -> str:
        """Replace a container's addresses and its volumes' paths in `text`, which container `name` has."""
        if text in {volume.partition(":")[2] for volume in self._compose.services[name].volumes}:
            return f"{self._layout.data}{text}"
        for (other, inside), outside in self._moved.items():
            text = text.replace(f"{other}:{inside}", f"{HOST}:{outside}")
            if other == name:
                text = text.replace(f"{HOST}:{inside}", f"{HOST}:{outside}").replace(
                    f"{HOST}/{inside}", f"{HOST}/{outside}"
                )
                text = str(outside) if text == str(inside) else text
        return HOST if text == "0.0.0.0" else text  # noqa: S104 - what a container says


def _ports(name: str, service: Service) -> Iterator[int]:
    yield from _LISTENS.get(name, ())
    if service.is_ours:
        yield from (int(port.rpartition(":")[2]) for port in service.ports)


def _free_ports() -> Iterator[int]:
    """Yield ports below those that the system gives to outgoing connections: they stay free until they are used."""
    candidates = range(10_000, 32_000)
    for port in SystemRandom().sample(candidates, len(candidates)):
        try:
            require_free([port])
        except PortTakenError:
            continue
        yield port
