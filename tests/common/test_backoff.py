"""Exponential backoff: from the base to the cap, with jitter, and anew after a success."""

from itertools import islice
from random import Random

import pytest

from saga.common.backoff import EQUAL_JITTER, ExponentialBackoff, exponential_delay


def test_delays_double_from_the_base_to_the_cap() -> None:
    assert list(islice(ExponentialBackoff(base=0.1, cap=0.5), 5)) == [0.1, 0.2, 0.4, 0.5, 0.5]


def test_a_success_brings_back_the_first_delay() -> None:
    backoff = ExponentialBackoff(base=0.1, cap=5.0)
    assert list(islice(backoff, 3)) == [0.1, 0.2, 0.4]
    assert backoff.failures == 3
    backoff.reset()
    assert (backoff.failures, next(backoff)) == (0, 0.1)


@pytest.mark.parametrize("jitter", [EQUAL_JITTER, (0.8, 1.2)])
def test_jitter_spreads_a_delay_over_its_whole_range(jitter: tuple[float, float]) -> None:
    low, high = jitter
    backoff = ExponentialBackoff(base=1.0, cap=1.0, jitter=jitter, random=Random(1))  # noqa: S311 - jitter
    delays = list(islice(backoff, 500))
    assert low <= min(delays) < low + 0.05
    assert high - 0.05 < max(delays) <= high


def test_one_delay_can_have_a_cap_of_its_own() -> None:
    backoff = ExponentialBackoff(base=0.1, cap=5.0)
    assert [backoff.next_delay(cap=0.15) for _ in range(3)] == [0.1, 0.15, 0.15]
    assert next(backoff) == pytest.approx(0.8)


def test_an_outage_without_end_does_not_overflow() -> None:
    assert exponential_delay(10**9, base=0.1, cap=30.0, factor=10.0) == 30.0
