"""Whether the one channel reaches the gateway."""

import asyncio

import grpc


class Link:
    """Watches the channel, so that whoever waits for the gateway need not ask it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Watch `channel` from `watch` on; until then it counts as down."""
        self._channel = channel
        self.up = asyncio.Event()
        """Set while a connection stands."""

    async def watch(self) -> None:
        """Follow the channel's state until cancelled, and have it connect again whenever it can."""
        while True:
            state = self._channel.get_state(try_to_connect=True)
            if state is grpc.ChannelConnectivity.READY:
                self.up.set()
            else:
                self.up.clear()
            await self._channel.wait_for_state_change(state)
