"""The pauses between two tries at the broker: from milliseconds to a cap, and no two workers' alike."""

import asyncio
from collections.abc import Callable
from random import Random
from types import SimpleNamespace

import grpc
import pytest

from saga.kit.gateway import backoff as backoff_module
from saga.kit.gateway.backoff import Backoff
from saga.kit.gateway.channel_watch import ChannelWatch


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    # Not asyncio's own: servers of other tests sleep as well.
    monkeypatch.setattr(backoff_module, "asyncio", SimpleNamespace(sleep=sleep, timeout=asyncio.timeout))
    return slept


@pytest.fixture
async def backoff() -> Callable[[int], Backoff]:
    link = ChannelWatch(grpc.aio.insecure_channel("127.0.0.1:9"))
    link.up.set()
    return lambda seed: Backoff(Random(seed), link, base=0.02, cap=0.5)  # noqa: S311 - jitter


async def test_they_double_from_the_first_to_the_cap_and_begin_anew_once_the_broker_answered(
    backoff: Callable[[int], Backoff], pauses: list[float]
) -> None:
    tried = backoff(1)
    for _ in range(10):
        await tried.pause()
    whole = [min(0.5, 0.02 * 2**failures) for failures in range(10)]
    assert all(each / 2 <= pause <= each for pause, each in zip(pauses, whole, strict=True)), pauses
    tried.reset()
    await tried.pause()
    assert pauses[-1] <= 0.02


async def test_a_busy_broker_is_asked_again_soon(backoff: Callable[[int], Backoff], pauses: list[float]) -> None:
    tried = backoff(1)
    for _ in range(10):
        await tried.pause(grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert max(pauses) <= 0.08


async def test_those_who_failed_together_do_not_come_back_together(
    backoff: Callable[[int], Backoff], pauses: list[float]
) -> None:
    many = [backoff(seed) for seed in range(100)]
    await asyncio.gather(*(each.pause() for each in many))
    assert len(set(pauses)) == 100
    assert max(pauses) - min(pauses) > 0.008, "of 0.01"
