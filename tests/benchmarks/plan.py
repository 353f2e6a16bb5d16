"""How much is measured: on two quiet cores a full run takes some 20 minutes, a quick one ten."""

from dataclasses import dataclass

from saga.engine.housekeeping import SNAPSHOT_EVERY


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of one run; times are in seconds."""

    name: str
    repetitions: int
    in_flight: int
    """Jobs in hand of every peer."""
    jobs: int
    """What a peer finds waiting in one repetition."""
    echoed: int
    """Jobs drained and calls echoed to compare the two: enough for the start not to matter."""
    seconds: float
    """A peer that has not done them by then is judged by what it did."""
    steady_seconds: float
    """Of steady load, per peer and repetition."""
    latency_instances: int
    """Per peer and repetition."""
    idle_settle: float
    idle_seconds: float
    """Of one look; each type polls in its own time, so every look sees as many polls."""
    waiting: tuple[int, ...]
    """The backlogs of which `drained` jobs are done at a time."""
    drained: int
    searched: int
    """Instances that are alive when searches are asked."""
    recovered: tuple[int, ...]
    """Records of the logs that are read after a crash: shortly before the first snapshot, and before a later one."""
    orders: int
    """Per worker set and repetition."""


FULL = Plan(
    name="full",
    repetitions=5,
    in_flight=128,
    jobs=300,
    echoed=2_000,
    seconds=5.0,
    steady_seconds=8.0,
    latency_instances=150,
    idle_settle=10.0,
    idle_seconds=20.0,
    waiting=(1_000, 10_000, 100_000),
    drained=500,
    searched=100_000,
    recovered=(SNAPSHOT_EVERY - 1_000, 5 * SNAPSHOT_EVERY - 1_000),
    orders=100,
)
QUICK = Plan(
    name="quick",
    repetitions=2,
    in_flight=128,
    jobs=500,
    echoed=2_000,
    seconds=8.0,
    steady_seconds=8.0,
    latency_instances=100,
    idle_settle=5.0,
    idle_seconds=30.0,
    waiting=(1_000, 100_000),
    drained=1_000,
    searched=10_000,
    recovered=(SNAPSHOT_EVERY - 1_000,),
    orders=100,
)
