"""What a peer got done is counted from before it began: the broker's counter is faked, and says what a test wants."""

from collections.abc import Iterable

import pytest

from tests.benchmarks.work import until_done


class FakeCounter:
    """Stands for the engine: each look finds the next figure."""

    def __init__(self, completed: Iterable[int]) -> None:
        self._completed = list(completed)

    async def jobs(self, event: str, task_type: str) -> int:
        assert (event, task_type) == ("completed", "work")
        return self._completed.pop(0)


class FakeProcess:
    """Stands for a peer that takes a second of CPU between two looks."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def cpu(self) -> float:
        self._seconds += 1.0
        return self._seconds


@pytest.mark.parametrize(
    ("completed", "counted"),
    [
        ([0, 0, 10, 60, 100], 90),
        ([20, 60, 100], 80),  # quicker than the first look
    ],
)
async def test_it_is_watched_from_its_first_job_to_its_last(completed: list[int], counted: int) -> None:
    counter = FakeCounter(completed)
    done = await until_done(counter, FakeProcess(), "work", before=0, jobs=100, seconds=20.0, look=0.001)  # type: ignore[arg-type]
    assert (done.jobs, done.cpu) == (counted, 2.0)


async def test_a_peer_that_does_not_end_is_judged_by_what_it_did() -> None:
    counter = FakeCounter([7, 8, *[9] * 1_000])
    done = await until_done(counter, FakeProcess(), "work", before=7, jobs=100, seconds=0.2, look=0.02)  # type: ignore[arg-type]
    assert done.jobs == 1
    assert done.seconds == pytest.approx(0.2, abs=0.1)
