"""When a lease ends that began by another machine's clock, for jobs that waited on their way."""

import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.kit.subscription.lease_clock import LeaseClock

LEASE = 30.0


def given_out(at: float, partition: int = 1) -> pb.ActivatedJob:
    """Make a job that was given out then, by its broker's clock."""
    return pb.ActivatedJob(key=(partition << 51) + 4711, deadline=round((at + LEASE) * 1000))


@pytest.mark.parametrize("skew", [-3600.0, 0.0, 3600.0])
def test_the_end_of_a_lease_is_told_on_our_clock_whatever_the_brokers_says(skew: float) -> None:
    clocks, now = LeaseClock(), 10_000.0
    job = given_out(now + skew)
    assert clocks.lease_ends(job, LEASE, now) == pytest.approx(now + LEASE)
    waited = 12.0
    assert clocks.lease_ends(job, LEASE, now + waited) == pytest.approx(now + LEASE)


def test_a_queue_that_stands_for_an_hour_is_not_taken_for_jobs_that_came_at_once() -> None:
    clocks = LeaseClock()
    clocks.lease_ends(given_out(0.0), LEASE, 10_000.0)
    for second in range(1, 3_600):
        ends = clocks.lease_ends(given_out(second), LEASE, 10_000.0 + second + 7.8)
        assert ends == pytest.approx(10_000.0 + second + LEASE)


def test_a_clock_that_is_set_back_is_followed_with_the_first_job_that_cannot_have_waited() -> None:
    clocks = LeaseClock()
    clocks.lease_ends(given_out(5_000.0), LEASE, 10_000.0)
    set_back = given_out(5_001.0 - 3_600.0)
    assert clocks.lease_ends(set_back, LEASE, 10_001.0) < 10_001.0, "as if it had waited for an hour"
    assert clocks.lease_ends(set_back, LEASE, 10_001.0, earliest=10_000.9) == pytest.approx(10_001.0 + LEASE)
    assert clocks.lease_ends(set_back, LEASE, 10_020.0) == pytest.approx(10_001.0 + LEASE)


def test_a_clock_that_is_set_forward_is_followed_at_once() -> None:
    clocks = LeaseClock()
    clocks.lease_ends(given_out(5_000.0), LEASE, 10_000.0)
    assert clocks.lease_ends(given_out(8_600.0), LEASE, 10_001.0) == pytest.approx(10_001.0 + LEASE)


def test_the_broker_of_each_partition_has_a_clock_of_its_own() -> None:
    clocks = LeaseClock()
    assert clocks.lease_ends(given_out(5_000.0), LEASE, 10_000.0) == pytest.approx(10_000.0 + LEASE)
    other = given_out(4_990.0, partition=2)
    assert clocks.lease_ends(other, LEASE, 10_000.0) == pytest.approx(10_000.0 + LEASE)
