"""The soak's checks fire: each is shown something that must not be."""

import signal
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from saga.stack.stack import PARTS
from saga.stack.state import ProcessId
from tests.benchmarks import soak_audit, soak_faults, soak_memory
from tests.benchmarks.orders.ledger import FULFILLED, Entry
from tests.benchmarks.soak_memory import Lives
from tests.benchmarks.soak_orders import KINDS, Order
from tests.world import NOTHING, Effects

NOW = datetime.now(UTC)
ORDER = Order("soak-1", KINDS[0], NOW, accepted=True)
EFFECTS = Effects("shipping", 1, "dispatch", 9970, 3, 0, 9970, 0, 3)
ENTRY = Entry(EFFECTS, FULFILLED, NOW)


def test_an_order_that_went_as_it_should_breaks_nothing() -> None:
    assert soak_audit.broken(ORDER, ENTRY) == []


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (Entry(NOTHING, (), None), "ended rejected, not fulfilled (6)"),
        (replace(ENTRY, effects=replace(EFFECTS, reserved=6)), "(1)"),
        (replace(ENTRY, effects=replace(EFFECTS, captured=19940)), "(2)"),
        (replace(ENTRY, deeds=(*FULFILLED, FULFILLED[2])), "done more than once (3)"),
        (replace(ENTRY, deeds=("payment.payment.undone", *FULFILLED)), "done after it was undone (4)"),
        (replace(ENTRY, effects=replace(EFFECTS, refunded=9970)), "shipped and refunded (5)"),
        (replace(ENTRY, effects=replace(EFFECTS, claims=2)), "2 instances hold it (7)"),
        (replace(ENTRY, deeds=FULFILLED[::-1]), "(10)"),
        (replace(ENTRY, effects=replace(EFFECTS, shipped=6, reserved=6)), "6 pieces were shipped, not 3"),
    ],
)
def test_an_order_that_breaks_an_invariant_is_told(entry: Entry, says: str) -> None:
    assert any(says in line for line in soak_audit.broken(ORDER, entry))


def test_an_order_that_the_engine_never_took_is_told() -> None:
    assert soak_audit.broken(replace(ORDER, accepted=False), Entry(NOTHING, (), None))


@pytest.mark.parametrize(("megabytes", "told"), [(50.0, False), (60.0, True)])
def test_data_that_grew_by_more_than_is_computed_is_told(megabytes: float, *, told: bool) -> None:
    assert bool(soak_audit.grown([ORDER] * 1_100, megabytes)) is told


@pytest.mark.parametrize(("per_hour", "told"), [(0.5, False), (5.0, True)])
def test_memory_that_grows_is_told_and_single_peaks_are_not(per_hour: float, *, told: bool) -> None:
    lives = Lives()
    for second in range(0, 3600, 10):
        peak = 40.0 if second % 600 == 0 else 0.0
        lives.note(ProcessId(pid=1, create_time=1.0), second, 100.0 + per_hour * second / 3600 + peak)
    assert lives.longest.slope == pytest.approx(per_hour, abs=0.1)
    assert bool(soak_memory.violations("engine", lives)) is told


def test_the_longest_life_is_the_one_that_counts_and_a_short_one_proves_nothing() -> None:
    lives = Lives()
    for process, seconds in ((1, 600), (2, 100)):
        for second in range(0, seconds, 10):
            lives.note(ProcessId(pid=process, create_time=1.0), second, 100.0 + second)
    assert lives.longest.process.pid == 1
    assert lives.longest.slope == pytest.approx(3600)
    assert soak_memory.violations("engine", lives) == []


def test_the_shape_of_the_growth_is_kept() -> None:
    lives = Lives()
    for second in range(30, 240, 10):
        peak = 40.0 if second % 60 == 0 else 0.0
        lives.note(ProcessId(pid=1, create_time=1.0), second, 100.0 + second // 60 + peak)
    assert lives.longest.by_minute == [100.0, 101.0, 102.0, 103.0]


@pytest.mark.parametrize(("minutes", "every"), [(60.0, 2.0), (5.0, 0.4)])
def test_every_part_is_killed_and_the_judged_ones_live_long_in_between(minutes: float, every: float) -> None:
    faults = list(soak_faults.plan(minutes * 60, every * 60))
    assert {fault.part for fault in faults if fault.signal is signal.SIGKILL} == set(PARTS)
    assert [fault.at for fault in faults] == pytest.approx([(number + 1) * every * 60 for number in range(len(faults))])
    assert faults[-1].at < minutes * 60
    for part, share in (("engine", 0.6), ("workers", 0.75)):
        times = [0.0, *(fault.at for fault in faults if fault.part == part), minutes * 60]
        assert max(later - earlier for earlier, later in pairwise(times)) >= share * minutes * 60
