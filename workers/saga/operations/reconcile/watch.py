"""The reconciler as a process: a sweep at regular intervals, doubts at once, and what it tells of itself."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import structlog
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client import Counter as Count
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from saga.clients.failure import Failure
from saga.kit.observability.health import Health
from saga.operations.reconcile.sweep import Finding, Sweeper
from saga.operations.reconcile.verdict import Verdict

_OVERDUE = 3
"""Intervals without a sweep after which the process is not ready."""

_log = structlog.get_logger(__name__)


class ReconcilerSettings(BaseSettings):
    """What the reconciler reads from its environment; durations are in seconds."""

    model_config = SettingsConfigDict(env_prefix="RECONCILER_", extra="ignore", env_ignore_empty=True)

    interval: float = Field(30.0, gt=0.0, le=86_400.0)
    """How long it rests between two sweeps."""
    age: float = Field(30.0, ge=0.0, le=31_536_000.0)
    """How old an effect is before a sweep looks at it: most are settled by then by the process itself."""
    host: str = "127.0.0.1"
    """Where `/live`, `/ready` and `/metrics` answer, and where workers tell of doubts."""
    port: int = Field(8110, ge=0, le=65_535)


class Watch:
    """Sweeps again and again."""

    def __init__(self, sweeper: Sweeper, settings: ReconcilerSettings) -> None:
        """Sweep with `sweeper`."""
        self._sweeper = sweeper
        self._settings = settings
        self._swept = time.monotonic()
        self._troubles: list[str] = []
        own = self._registry = CollectorRegistry()
        self._settled = Count("saga_effects_settled", "Effects that were settled.", ["verdict"], registry=own)
        self._open = Gauge("saga_effects_open", "Effects that the last sweep left open.", ["verdict"], registry=own)
        self._seconds = Gauge("saga_sweep_seconds", "How long the last sweep took.", registry=own)

    async def run(self) -> None:
        """Sweep until cancelled; what does not answer is asked again at the next sweep."""
        while True:
            begun = time.monotonic()
            try:
                await self._sweep()
            except Failure as failure:
                self._troubles = [str(failure)]
                _log.warning("sweep broken off", why=str(failure))
            else:
                self._swept = time.monotonic()
                self._seconds.set(self._swept - begun)
            await asyncio.sleep(self._settings.interval)

    def account(self, findings: Sequence[Finding]) -> None:
        """Count what was settled, and log what the process itself would not have done."""
        for finding in findings:
            effect = finding.effect
            about = {"saga_id": effect.saga_id, "participant": effect.participant, "branch": effect.branch}
            if finding.done:
                self._settled.labels(finding.verdict).inc()
            if finding.why_not is not None:
                _log.warning("effect not settled", **about, verdict=finding.verdict, why=finding.why_not)
            elif finding.done and finding.verdict is not Verdict.KEEP:
                _log.info("effect settled", **about, verdict=finding.verdict, instance=finding.instance)

    async def health(self) -> Health:
        """Say whether sweeps come to their end."""
        late = time.monotonic() - self._swept > _OVERDUE * self._settings.interval
        return Health(not late, self._troubles)

    async def metrics(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    async def _sweep(self) -> None:
        troubles: list[str] = []
        open_: Counter[Verdict] = Counter()
        async for found in self._sweeper.find(troubles, older_than=self._settings.age):
            settled = await self._sweeper.settle(found)
            self.account(settled)
            open_.update(finding.verdict for finding in settled if not finding.done)
        for verdict in Verdict:
            self._open.labels(verdict).set(open_[verdict])
        if troubles and troubles != self._troubles:
            _log.warning("sweep without some participants", troubles=troubles)
        self._troubles = troubles
