"""The inventory as it is, and beside it the same business code with no barrier: no key, no stored answer, no event.

A process of its own: `python -m tests.benchmarks.participants.server DATABASE_URL PORT`.
"""

import asyncio
import sys

import uvicorn
from fastapi import APIRouter, FastAPI

from saga.common.logs import configure_logging
from saga.common.tokens import read_tokens
from services.inventory import commands
from services.inventory.app import router as inventory
from services.inventory.commands import Hold, Release, Reservation
from services.participant.app import create_app
from services.participant.auth import Callers, called_by, callers_of
from services.participant.database import Database, Reading
from services.participant.models import SagaId
from services.participant.settings import LimitSettings

bare = APIRouter(prefix="/bare")


@bare.put("/reservations/{order_id}", dependencies=[called_by("reserve-inventory")])
async def reserve(order_id: SagaId, hold: Hold, database: Reading) -> Reservation:
    return await commands.reserve(database, order_id, hold)


@bare.delete("/reservations/{order_id}", dependencies=[called_by("release-inventory")])
async def release(order_id: SagaId, database: Reading) -> Release:
    return await commands.release(database, order_id)


def app(database: Database) -> FastAPI:
    both = APIRouter(routes=[*inventory.routes, *bare.routes])
    limits = LimitSettings(rate_limit=1_000_000)
    return create_app("inventory", both, database, Callers(callers_of(both), read_tokens()), limits)


def main(url: str, port: int) -> None:
    configure_logging("inventory")
    config = uvicorn.Config(
        app(Database(url, "inventory")), port=port, lifespan="off", ws="none", log_config=None, access_log=False
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
