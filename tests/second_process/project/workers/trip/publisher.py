"""Publishes each trip that was booked at the travel service as the message that starts it.

A trip that was published and not marked is published again: the broker refuses a message id while it keeps the message.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress

import grpc
import structlog
from pydantic import BaseModel

from saga.clients.failure import Failure
from saga.clients.gateway import MESSAGE_TTL_MS, require_deployed
from saga.clients.participant import Participant
from saga.common.once_per_minute import OncePerMinute
from saga.kit.gateway.connection import stub
from saga.kit.gateway.credentials import code_of
from saga.kit.gateway.proto import pb

_CALLER = "publish-trips"
_log = structlog.get_logger(__name__)


class _Booked(BaseModel):
    trips: dict[str, dict[str, object]]
    """The variables of each, by its id."""


class TripPublisher:
    """Reads booked trips from the participant `travel`, publishes them, and marks them as published."""

    def __init__(self, participants: Mapping[str, Participant], channel: grpc.aio.Channel) -> None:
        """Publish over `channel`."""
        self._travel, self._gateway, self._seldom = participants["travel"], stub(channel), OncePerMinute()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish every second until `stop` is set; a trip that cannot be published now waits."""
        while not stop.is_set():
            try:
                for each in (await self._travel.read(_CALLER, "/trips", _Booked)).trips.items():
                    await self._publish(*each)
            except (Failure, grpc.aio.AioRpcError) as error:
                why = f"broker: {code_of(error).name}" if isinstance(error, grpc.aio.AioRpcError) else str(error)
                if self._seldom(why):
                    _log.warning("booked trips wait", why=why)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)

    async def _publish(self, trip_id: str, variables: dict[str, object]) -> None:
        await require_deployed(self._gateway, "trip")
        message = pb.PublishMessageRequest(name="TripBooked", correlationKey=trip_id, messageId=trip_id)
        message.timeToLive, message.variables = MESSAGE_TTL_MS, json.dumps(variables)
        try:
            await self._gateway.PublishMessage(message, timeout=10.0)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise
        await self._travel.ask(_CALLER, "POST", f"/trips/{trip_id}/published")
