"""Whether the one channel reaches the gateway."""

import asyncio

import grpc
import structlog

_log = structlog.get_logger(__name__)


class Link:
    """Watches the channel, so that whoever waits for the gateway need not ask it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Watch `channel` from `watch` on; until then it counts as down."""
        self._channel = channel
        self.up = asyncio.Event()
        """Set while a connection stands."""

    async def watch(self) -> None:
        """Follow the channel's state until cancelled, and have it connect again whenever it can."""
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
                if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE and not lost:
                    _log.warning("gateway unreachable")
                    lost = True
            await self._channel.wait_for_state_change(state)
