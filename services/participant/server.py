"""Run one service in this process until SIGTERM or Ctrl-C."""

import asyncio
import importlib
import socket
import sys
from contextlib import AsyncExitStack, closing

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI

from saga.common.http_server import EmbeddedServer, listening
from saga.common.logs import configure_logging
from saga.common.signals import on_stop_signal
from saga.common.tokens import Tokens, read_tokens
from services.participant.app import create_app
from services.participant.auth import Callers, callers_of
from services.participant.connection import bounded_connection
from services.participant.database import Database
from services.participant.ledger import router as ledger_router
from services.participant.limits import BOUNDS, RequestBounds
from services.participant.provisioning import StartError, provision, require_current
from services.participant.relay import Relay
from services.participant.retention import router as retention_router
from services.participant.settings import LimitSettings, RoleSettings, ServiceSettings, read_settings

_DRAIN = 9
"""Seconds that running requests get to end after SIGTERM: more than any of them takes."""
_KEEP_ALIVE = 30
"""Seconds that an idle connection is kept: longer than our clients keep theirs, so that they never use a closed one."""

_log = structlog.get_logger(__name__)


def serve(name: str, port: int | None = None) -> None:
    """Run the service `name`, as `HOST`, `PORT`, `DATABASE_URL`, `<NAME>_DATABASE_URL`, tokens and limits say.

    `port` is for where `PORT` says nothing; without either it is the service's own.

    Raises:
        SystemExit: it cannot start: the port is taken, a caller has no token, or the database does not let it in. One
            message says why.
    """
    configure_logging(name)
    default: int = importlib.import_module(f"services.{name}").PORT if port is None else port
    try:
        settings, own = read_settings(ServiceSettings), read_settings(lambda: RoleSettings.of(name))
        with (
            closing(_bind(settings.host, default if settings.port is None else settings.port)) as listener,
            asyncio.Runner(loop_factory=uvicorn.Config("", log_config=None).get_loop_factory()) as runner,
        ):
            runner.run(_run(name, settings, own, listener))
    except StartError as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)  # Ctrl-C before the server was up; what a shell says of SIGINT.


async def _run(name: str, settings: ServiceSettings, own: RoleSettings, listener: socket.socket) -> None:
    tokens = read_tokens()
    router = router_of(name)
    callers = Callers(callers_of(router), tokens)
    _require_tokens(callers)
    database = Database(await _role_url(name, settings, own), name)
    server = make_server(name, router, database, callers, settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        _log.info("started", port=listener.getsockname()[1])
        relay = _make_relay(database, tokens, settings)
        if relay:
            await stack.enter_async_context(relay.running())

        def stop(number: int) -> None:
            server.handle_exit(number, None)
            if relay:
                relay.stop()

        on_stop_signal(stop)
        await server.serve(sockets=[listener])
    _log.info("stopped")


def router_of(name: str) -> APIRouter:
    """Return the routes of the service `name`: its own, and those that every participant has."""
    package, own = importlib.import_module(f"services.{name}"), importlib.import_module(f"services.{name}.app").router
    common = [*ledger_router.routes, *retention_router.routes] if not getattr(package, "THIRD_PARTY", False) else []
    return APIRouter(routes=[*own.routes, *common], lifespan=own.lifespan_context)


def _make_relay(database: Database, tokens: Tokens, settings: ServiceSettings) -> Relay | None:
    if settings.events_url is None:
        _log.info("events stay in the outbox: EVENTS_URL is not set")
        return None
    return Relay(database, str(settings.events_url), tokens=tokens, retention=settings.retention)


def make_server(  # noqa: PLR0913, PLR0917 - what a service is made of
    name: str,
    router: APIRouter,
    database: Database,
    callers: Callers,
    limits: LimitSettings,
    bounds: RequestBounds = BOUNDS,
) -> uvicorn.Server:
    """Return the HTTP server that answers `router`'s routes, of the service `name`, to its `callers`."""
    app = create_app(name, router, database, callers, limits, bounds)
    config = uvicorn.Config(
        app,
        http=bounded_connection(bounds.header_timeout),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_DRAIN,
    )
    return _Server(config, app)


class _Server(EmbeddedServer):
    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve within the lifespan of the service's router.

        uvicorn would write what fails there into the log as a traceback, where `serve` wants one message that says why.
        """
        async with self._app.router.lifespan_context(self._app):
            await super().serve(sockets)


def _require_tokens(callers: Callers) -> None:
    """Check that every caller can come in, or the service would answer it 401 for ever."""
    missing = callers.without_token()
    if missing:
        message = f"Give a token to everyone who may call it (docs/participants.md). {' '.join(missing)}"
        raise StartError(message)


async def _role_url(name: str, settings: ServiceSettings, own: RoleSettings) -> str:
    if own.database_url:
        url = own.database_url.get_secret_value()
        await require_current(name, url)
        return url
    if settings.database_url is None:
        message = f"Set DATABASE_URL (an administrator's) or {name.upper()}_DATABASE_URL (the service's own)."
        raise StartError(message)
    return await provision(name, settings.database_url.get_secret_value())


def _bind(host: str, port: int) -> socket.socket:
    try:
        return listening(host, port)
    except OSError as error:
        message = f"Port {port} on {host} cannot be had: {error.strerror}. Stop what uses it, or set PORT."
        raise StartError(message) from error
