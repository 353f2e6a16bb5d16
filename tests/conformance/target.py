"""Where the cases run: on a user's cluster, or on an engine of our own."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from saga.clients.rest import BasicAuthSettings, Bearer
from saga.kit.gateway.connection import oauth, open_channel, stub
from saga.kit.settings import EngineSettings
from tests.conformance.zeebe import TIMEOUT
from tests.engine.process import running

if TYPE_CHECKING:
    # The asynchronous stub exists for type checkers only: at run time it is the same class.
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub


@dataclass(frozen=True, slots=True)
class Connections:
    """Clients of one cluster; `management` is the URL of our own engine's management port, else empty."""

    stub: "GatewayAsyncStub"
    rest: httpx.AsyncClient
    management: str


@dataclass(frozen=True, slots=True)
class Target:
    """A user's cluster, with the credentials that the environment names."""

    engine: EngineSettings
    rest: str
    basic: BasicAuthSettings

    @classmethod
    def of_environment(cls) -> "Target":
        """Read the environment.

        Raises:
            ValueError: It does not name both addresses.
        """
        rest = os.environ.get("CAMUNDA_REST_ADDRESS", "")
        if not os.environ.get("ZEEBE_ADDRESS") or not rest:
            message = "set both ZEEBE_ADDRESS (host:port of gRPC) and CAMUNDA_REST_ADDRESS (http://host:port)"
            raise ValueError(message)
        return cls(EngineSettings(), rest.rstrip("/"), BasicAuthSettings())

    def auth(self) -> httpx.Auth | None:
        """Return what signs requests of REST."""
        token = oauth(self.engine)
        if token:
            return Bearer(token)
        if self.basic.username and self.basic.password:
            return httpx.BasicAuth(self.basic.username, self.basic.password.get_secret_value())
        return None


@asynccontextmanager
async def connect(target: Target | None) -> AsyncIterator[Connections]:
    """Connect to the cluster, or start an engine of our own."""
    if target is None:
        async with running("--clock", "controlled") as engine:
            own = EngineSettings(ZEEBE_ADDRESS=engine.gateway)
            async with (
                open_channel(own) as channel,
                httpx.AsyncClient(base_url=f"http://{engine.rest}", timeout=TIMEOUT) as rest,
            ):
                yield Connections(stub(channel), rest, f"http://{engine.management}")
        return
    async with (
        open_channel(target.engine) as channel,
        httpx.AsyncClient(base_url=target.rest, auth=target.auth(), timeout=TIMEOUT) as rest,
    ):
        yield Connections(stub(channel), rest, "")
