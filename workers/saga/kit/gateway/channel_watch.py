"""Whether the one channel is connected to the gateway."""

import asyncio

import grpc
import structlog

from saga.common.once_per_minute import OncePerMinute

_log = structlog.get_logger(__name__)


class ChannelWatch:
    """Watches the channel, so that callers can wait until it is connected."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Watch `channel` once `watch` runs; until then it counts as down."""
        self._channel = channel
        self._seldom = OncePerMinute()
        self._is_busy = False
        self.up = asyncio.Event()
        """Set while the channel is connected."""

    def refused(self, seconds: int) -> None:
        """Note that the broker has refused polls for `seconds`: logged once, for all task types."""
        if not self._is_busy and self._seldom("busy"):
            _log.warning("broker refuses for being busy", seconds=seconds)
            self._is_busy = True

    def answered(self) -> None:
        """Note that a broker that refused has accepted a request."""
        if self._is_busy:
            _log.info("broker answers again")
            self._is_busy = False

    async def watch(self) -> None:
        """Follow the channel's state until cancelled, and let it connect again whenever it can."""
        lost = False
        while True:
            state = self._channel.get_state(try_to_connect=True)
            if state is grpc.ChannelConnectivity.READY:
                self.up.set()
                if lost:
                    _log.info("gateway reachable again")
                    lost = False
            else:
                self.up.clear()
                # A channel that flaps, for example because of a GOAWAY every second, is logged once a minute.
                if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE and not lost and self._seldom("unreachable"):
                    _log.warning("gateway unreachable")
                    lost = True
            await self._channel.wait_for_state_change(state)
