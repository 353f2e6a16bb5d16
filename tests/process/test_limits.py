"""What the stack may cost: the figures that the README promises."""

from tests.stack import Stack

_MOST_BYTES = 3_000_000_000
_MOST_SECONDS = 60.0
"""Twice the promise for an idle machine with two cores: a test that shares them must not fail for the noise."""


def test_the_whole_stack_is_resident_in_less_than_three_gigabytes(stack: Stack) -> None:
    parts = stack.status()["parts"]
    assert len(parts) == 10
    assert sum(part["rssBytes"] for part in parts) < _MOST_BYTES


def test_every_part_was_ready_in_time(stack: Stack) -> None:
    # The slowest chain: the broker, then the workers that wait for it.
    ready = {part["name"]: part["readySeconds"] for part in stack.status()["parts"]}
    assert ready["engine"] + ready["workers"] < _MOST_SECONDS
