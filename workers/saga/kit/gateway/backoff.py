"""How long to wait before the broker is asked again."""

import asyncio
from contextlib import suppress
from random import Random

import grpc

from saga.common.backoff import EQUAL_JITTER, ExponentialBackoff
from saga.kit.gateway.channel_watch import ChannelWatch

MAX_BACKOFF = 0.5
"""Seconds between two tries at most, while the channel is up."""
_BUSY = 0.08
"""Seconds at most between two tries of what a broker refuses because it is busy: it is there, and done in a moment."""
_OUTAGE = 2.0
"""Seconds between two tries while the channel is down, should its recovery go unnoticed."""


class Backoff:
    """Pauses between tries to reach the broker: jittered, doubling from milliseconds to a cap.

    While the channel is down no try can help, so all who wait go on when it comes back, and not before: an outage costs
    nothing, however many task types there are, and ends for all of them at once.
    """

    def __init__(
        self, random: Random, channel_watch: ChannelWatch, base: float = 0.02, cap: float = MAX_BACKOFF
    ) -> None:
        """Begin at `base` seconds and never pass `cap`."""
        self._channel_watch = channel_watch
        self._delays = ExponentialBackoff(base=base, cap=cap, jitter=EQUAL_JITTER, random=random)

    def reset(self) -> None:
        """Forget the failures: the broker answered."""
        self._delays.reset()

    async def pause(self, code: grpc.StatusCode | None = None) -> None:
        """Sleep after one more failure, whose status is `code` where it has one."""
        if not self._channel_watch.up.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_OUTAGE):
                    await self._channel_watch.up.wait()
            self._delays.reset()
        cap = _BUSY if code is grpc.StatusCode.RESOURCE_EXHAUSTED else None
        await asyncio.sleep(self._delays.next_delay(cap))
