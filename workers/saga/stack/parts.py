"""What a part of the stack is."""

import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

Probe = Callable[[httpx.AsyncClient], Awaitable[bool]]
"""Says whether a part serves, False where the part itself says that it cannot now; raises where it gives no answer."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the stack and how to treat it."""

    name: str
    command: Sequence[str]
    ready: Probe
    alive: Probe | None = None
    """What is asked once the part is ready, for as long as it runs; `ready` where None."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the supervisor's own environment."""
    directory: Path | None = None
    """The working directory; the supervisor's own when None."""
    needs: frozenset[str] = frozenset()
    """Parts that are ready before this one is started, and are stopped after it."""
    prepare: Callable[[], None] | None = None
    """Makes files ready, or raises; called once, off the event loop, after the part's needs are ready."""
    kill_rest: Callable[[], None] | None = None
    """Kills what outlives the part in process groups of its own; called, off the event loop, once the part ended."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 30.0
    """How long the part may take to stop before it is killed."""
    ready_seconds: float = 120.0
    """How long the part may take to become ready before that counts as a crash."""
    user: str = ""
    """Who runs the part when the supervisor is root; root itself when empty."""
    death_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends to the part when the supervisor dies (Linux)."""


def http_probe(url: str) -> Probe:
    """Return a probe of `url`: 200, after redirects, serves; 503 is an answer too, and another 5xx is none."""

    async def probe(client: httpx.AsyncClient) -> bool:
        response = await client.get(url, follow_redirects=True)
        if response.is_server_error and response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            response.raise_for_status()
        return response.status_code == httpx.codes.OK

    return probe
