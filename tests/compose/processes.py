"""docker-compose.yml without Docker: each container becomes a process of this machine with the container's environment.

What a container isolates, a process has to be told: its ports are moved, and the names of the network become 127.0.0.1.
Everything else is the file's own: environment names and values, commands, dependencies and health checks.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

import httpx

from tests.compose.composefile import ComposeFile, Service
from tests.compose.image import Image
from workers.cluster.artifacts import Store, locked
from workers.cluster.errors import PortTakenError
from workers.cluster.java import java
from workers.cluster.layout import Layout
from workers.cluster.opensearch import opensearch
from workers.cluster.parts import Part, Probe
from workers.cluster.ports import HOST, Ports, require_free
from workers.cluster.postgres import postgres
from workers.cluster.unpack import unpacked

_PROGRAMS = {"zeebe": "StandaloneBroker", "operate": "StandaloneOperate", "tasklist": "StandaloneTasklist"}
"""What the entry point of each of Camunda's images runs (its bin/broker, bin/operate, bin/tasklist)."""
_LISTENS = {
    "postgres": (5432,),
    "opensearch": (9200,),
    "zeebe": (26500, 8080, 9600, 26501, 26502),
    "operate": (8080, 9600),
    "tasklist": (8080, 9600),
    "reconciler": (8110,),
}
"""The ports in the containers that are not open to the host."""


class Processes:
    """The containers' counterparts, for a supervisor to run; `deploy`, which ends, is left to the test."""

    def __init__(self, compose: ComposeFile, image: Image, home: Path) -> None:
        self._compose = compose
        self._image = image
        self._layout = Layout(data=home, cache=Layout.of(0).cache)
        self._store = Store(self._layout.cache)
        inside = [(name, port) for name, service in compose.services.items() for port in _ports(name, service)]
        self._moved = dict(zip(inside, _free_ports(), strict=False))

    def parts(self) -> list[Part]:
        """Return the parts in the file's order; what is not ours comes from the embedded stack's files."""
        self._store.fetch([*locked("opensearch"), *locked("camunda")])
        return [self._part(name) for name in self._compose.services if name != "deploy"]

    def port(self, name: str, inside: int) -> int:
        """Return the port of this machine that stands for a container's."""
        return self._moved[name, inside]

    def environment(self, name: str) -> dict[str, str]:
        """Return a container's environment, its addresses moved to this machine."""
        service = self._compose.services[name]
        environment = {key: self._here(name, value) for key, value in service.environment.items()}
        inside = {volume.partition(":")[2] for volume in service.volumes}
        return {key: f"{self._layout.data}{value}" if value in inside else value for key, value in environment.items()}

    def healthy(self, name: str) -> Probe:
        """Return a probe that is the container's own health check."""
        check = self._compose.services[name].healthcheck
        assert check is not None
        command = [self._here(name, word) for word in check.command]
        if command[0] in {"curl", "wget"}:  # the image's; this machine may have neither
            return _answers(command[-1])
        environment = self._image.environment(self.environment(name))

        async def probe(_client: httpx.AsyncClient) -> bool:
            process = await asyncio.create_subprocess_exec(
                *command, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
            return await process.wait() == 0

        return probe

    def _part(self, name: str) -> Part:
        service = self._compose.services[name]
        ports = Ports(postgres=self._moved["postgres", 5432], opensearch=self._moved["opensearch", 9200])
        if name == "postgres":
            self._layout.data.mkdir(parents=True, exist_ok=True)
            password = self._layout.data / "postgres-password"
            password.write_text(service.environment["POSTGRES_PASSWORD"], encoding="ascii")
            return postgres(self._layout, ports)
        if name == "opensearch":
            return replace(opensearch(self._layout, ports, self._store), ready=self.healthy(name))
        return Part(
            name=name,
            command=self._camunda(name) if name in _PROGRAMS else self._image.command(*service.command),
            environment=(self._isolation(name) if name in _PROGRAMS else {}) | self._own(name),
            directory=self._image.app,
            needs=frozenset(service.depends_on) - {"deploy"},
            ready=self.healthy(name),
        )

    def _own(self, name: str) -> dict[str, str]:
        environment = self.environment(name)
        return environment if name in _PROGRAMS else self._image.environment(environment)

    def _camunda(self, name: str) -> list[str]:
        archive = locked("camunda")[0]
        distribution = unpacked(self._store.path(archive), self._layout.cache / f"{archive.name}-{archive.version}")
        home = self._layout.data / name
        home.mkdir(parents=True)
        # The first, quick compiler only: these processes live a minute.
        options = f"-Dapp.home={home}", f"-Dbasedir={home}", "-XX:TieredStopAtLevel=1"
        program = f"io.camunda.application.{_PROGRAMS[name]}"
        class_path = [distribution / "config", distribution / "lib" / "*"]
        return java(program, class_path, "512m", *options)

    def _isolation(self, name: str) -> dict[str, str]:
        """What a container has to itself, as settings."""
        told = {
            "SERVER_ADDRESS": HOST,
            "SERVER_PORT": str(self.port(name, 8080)),
            "MANAGEMENT_SERVER_ADDRESS": HOST,
            "MANAGEMENT_SERVER_PORT": str(self.port(name, 9600)),
        }
        if name == "zeebe":
            told |= {
                "ZEEBE_BROKER_DATA_DIRECTORY": str(self._layout.data / name / "data"),
                "ZEEBE_BROKER_NETWORK_HOST": HOST,
                "ZEEBE_BROKER_NETWORK_COMMANDAPI_PORT": str(self.port(name, 26501)),
                "ZEEBE_BROKER_NETWORK_INTERNALAPI_PORT": str(self.port(name, 26502)),
                "ZEEBE_BROKER_GATEWAY_NETWORK_HOST": HOST,
                "ZEEBE_BROKER_GATEWAY_NETWORK_PORT": str(self.port(name, 26500)),
            }
        if name == "tasklist":
            # The embedded OpenSearch lacks a plugin that the image has.
            told["CAMUNDA_TASKLIST_ARCHIVERENABLED"] = "false"
        return told

    def _here(self, name: str, text: str) -> str:
        """Replace a container's addresses in `text`, which container `name` has."""
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


def _answers(url: str) -> Probe:
    async def probe(client: httpx.AsyncClient) -> bool:
        return (await client.get(url)).is_success

    return probe
