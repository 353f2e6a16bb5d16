"""The time of the engine: set where it can be set, waited for where it cannot."""

import asyncio
import time

import httpx

_NOT_CONTROLLED = frozenset({httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED})


class Clock:
    """The engine's clock during one test: it stands still from `stop` on, if the engine lets us."""

    def __init__(self, rest: httpx.AsyncClient) -> None:
        self._rest = rest
        self._now: int | None = None

    @property
    def is_controlled(self) -> bool:
        """Whether the clock stands still."""
        return self._now is not None

    def now(self) -> int:
        """Return the engine's time in milliseconds, as far as the machines' clocks agree."""
        return time.time_ns() // 1_000_000 if self._now is None else self._now

    async def stop(self) -> None:
        """Stop the clock where that is allowed."""
        now = self.now()
        if await self._pin(now):
            self._now = now

    async def advance(self, milliseconds: int) -> None:
        """Let time pass: at once on a clock that stands still, or else by waiting as long."""
        if self._now is None:
            await asyncio.sleep(milliseconds / 1000)
            return
        self._now += milliseconds
        assert await self._pin(self._now)

    async def reset(self) -> None:
        """Let the clock go on."""
        if self._now is not None:
            self._now = None
            response = await self._rest.post("/v2/clock/reset")
            assert response.status_code == httpx.codes.NO_CONTENT, response.text

    async def _pin(self, now: int) -> bool:
        response = await self._rest.put("/v2/clock", json={"timestamp": now})
        if response.status_code in _NOT_CONTROLLED:
            return False
        assert response.status_code == httpx.codes.NO_CONTENT, response.text
        return True
