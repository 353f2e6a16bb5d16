"""What the records say when the searches lag, disagree with the broker, or speak of another instance.

The searches and the broker are faked here: neither lags for a quarter of an hour on demand.
"""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import grpc
import pytest

from saga.clients.failure import Failure
from saga.clients.instances import ElementInstance, Instances, ProcessInstance
from saga.operations.reconcile.records import UNKNOWN_AFTER, Records
from saga.operations.reconcile.verdict import Element, Instance, Verdict, verdict

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

KEY = 2251799813685249
SAGA = ("4711", "orderId")
"""An id, and the variable that holds it."""
GONE, ENDING, ALIVE = (
    (grpc.StatusCode.NOT_FOUND,) * 2,
    (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT),
    (),
)


def now() -> datetime:
    return datetime.now(UTC)


def young() -> datetime:
    return now() - timedelta(seconds=5)


def old() -> datetime:
    return now() - timedelta(seconds=UNKNOWN_AFTER + 5)


@dataclass
class FakeInstances:
    shown: str | None
    states: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    since: datetime = field(default_factory=old)
    saga_id: str | None = "4711"

    async def get(self, key: int) -> ProcessInstance | None:
        if self.shown is None:
            return None
        facts = {"key": key, "process_id": "", "definition_key": 0, "start_date": self.since}
        return ProcessInstance.model_validate({**facts, "state": self.shown})

    async def variable(self, _: int, name: str) -> str | None:
        return {"orderId": self.saga_id}[name]

    async def elements(self, _: int) -> list[ElementInstance]:
        return [
            ElementInstance(key=key, element_id=self.names.get(key, str(key)), type="SERVICE_TASK", state=state)
            for key, state in self.states.items()
        ]


class FakeBroker:
    """Refuses the two questions with these statuses, or takes the first."""

    def __init__(self, *statuses: grpc.StatusCode) -> None:
        self._statuses = list(statuses)
        self.asked = 0

    def SetVariables(self, _: object, timeout: float) -> Awaitable[None]:  # noqa: N802 - as the stub has it
        return self._answer(0, timeout)

    def ModifyProcessInstance(self, _: object, timeout: float) -> Awaitable[None]:  # noqa: N802 - the same
        return self._answer(1, timeout)

    async def _answer(self, number: int, _: float) -> None:
        self.asked += 1
        if self._statuses:
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(self._statuses[number], nothing, nothing)


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def of(
    instances: FakeInstances, broker: FakeBroker, lost_at: datetime | None = None, *, clock: Clock | None = None
) -> Records:
    return Records(cast("Instances", instances), cast("GatewayAsyncStub", broker), lost_at, clock=clock or Clock())


async def test_what_is_shown_as_ended_is_believed_and_the_broker_is_left_alone() -> None:
    broker = FakeBroker(*GONE)
    for state, expected in (("COMPLETED", Instance.COMPLETED), ("TERMINATED", Instance.TERMINATED)):
        story = await of(FakeInstances(state, {7: "TERMINATED"}), broker).of(KEY, old(), *SAGA)
        assert (story.instance, story.element(7), story.element(8)) == (expected, Element.TERMINATED, Element.UNKNOWN)
    assert broker.asked == 0


@pytest.mark.parametrize("state", ["ACTIVE", "COMPLETED", "TERMINATED"])
async def test_an_element_that_was_activated_anew_is_what_its_follower_is(state: str) -> None:
    moved = FakeInstances("COMPLETED", {7: "TERMINATED", 8: "COMPLETED", 9: state}, {7: "Task_Pay", 9: "Task_Pay"})
    story = await of(moved, FakeBroker(*ALIVE)).of(KEY, old(), *SAGA)
    assert story.element(7) is story.element(9) is Element(state.lower())


@pytest.mark.parametrize("shown", [None, "ACTIVE"])
async def test_what_is_not_shown_as_ended_is_active_at_first(shown: str | None) -> None:
    broker = FakeBroker(*GONE)
    story = await of(FakeInstances(shown, {7: "ACTIVE"}), broker).of(KEY, young(), *SAGA)
    assert (story.instance, broker.asked) == (Instance.ACTIVE, 0)


@pytest.mark.parametrize("shown", [None, "ACTIVE"])
async def test_an_old_instance_that_the_broker_has_is_active_however_long_it_stands(shown: str | None) -> None:
    assert (
        await of(FakeInstances(shown, {7: "ACTIVE"}), FakeBroker(*ALIVE)).of(KEY, old(), *SAGA)
    ).instance is Instance.ACTIVE


@pytest.mark.parametrize("shown", [None, "ACTIVE"])
async def test_where_the_two_disagree_it_is_unknown_only_after_a_while(
    shown: str | None,
) -> None:
    """An instance of yesterday that has just ended looks so for a second."""
    clock = Clock()
    asked = of(FakeInstances(shown, {7: "ACTIVE"}), FakeBroker(*GONE), clock=clock)
    assert (await asked.of(KEY, old(), *SAGA)).instance is Instance.ACTIVE
    clock.now = UNKNOWN_AFTER + 1
    assert (await asked.of(KEY, old(), *SAGA)).instance is Instance.UNKNOWN


async def test_a_broker_that_is_busy_is_asked_again() -> None:
    class BusyBroker(FakeBroker):
        async def _answer(self, number: int, seconds: float) -> None:
            if self.asked < 3:
                self.asked += 1
                nothing = grpc.aio.Metadata()
                raise grpc.aio.AioRpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, nothing, nothing)
            await super()._answer(number, seconds)

    still = FakeInstances("ACTIVE", {7: "TERMINATED"})
    assert (await of(still, BusyBroker(*ENDING)).of(KEY, old(), *SAGA)).instance is Instance.TERMINATED


async def test_a_disagreement_that_ends_begins_anew() -> None:
    instances, broker, clock = FakeInstances("ACTIVE", {7: "ACTIVE"}), FakeBroker(*GONE), Clock()
    asked = of(instances, broker, clock=clock)
    await asked.of(KEY, old(), *SAGA)
    instances.shown = "COMPLETED"
    await asked.of(KEY, old(), *SAGA)
    instances.shown = "ACTIVE"
    clock.now = UNKNOWN_AFTER + 1
    assert (await asked.of(KEY, old(), *SAGA)).instance is Instance.ACTIVE


async def test_one_that_stands_still_is_cancelled_if_the_broker_says_that_it_is_ending() -> None:
    still = FakeInstances("ACTIVE", {7: "TERMINATED", 8: "COMPLETED"})
    assert (await of(still, FakeBroker(*ENDING)).of(KEY, young(), *SAGA)).instance is Instance.TERMINATED
    assert (await of(still, FakeBroker(*ALIVE)).of(KEY, young(), *SAGA)).instance is Instance.ACTIVE
    assert (await of(still, FakeBroker(*GONE)).of(KEY, young(), *SAGA)).instance is Instance.ACTIVE, "it has just ended"


async def test_an_effect_older_than_its_instance_is_another_ones() -> None:
    """A broker that lost its data gives its keys away once more."""
    broker = FakeBroker(*ALIVE)
    reborn = FakeInstances("COMPLETED", {7: "COMPLETED"}, since=now(), saga_id="4712")
    assert (await of(reborn, broker).of(KEY, old(), *SAGA)).instance is Instance.UNKNOWN
    assert (await of(reborn, broker, lost_at=now()).of(KEY, old(), *SAGA)).instance is Instance.UNKNOWN


async def test_an_instance_that_a_killed_broker_has_begun_once_more_is_the_same() -> None:
    again = FakeInstances("COMPLETED", {7: "COMPLETED"}, since=now())
    story = await of(again, FakeBroker(*GONE)).of(KEY, old(), *SAGA)
    assert (story.instance, story.element(7)) == (Instance.COMPLETED, Element.COMPLETED)


async def test_whose_an_instance_is_that_has_just_begun_is_waited_for() -> None:
    clock = Clock()
    asked = of(FakeInstances("ACTIVE", since=now(), saga_id=None), FakeBroker(*ALIVE), clock=clock)
    assert (await asked.of(KEY, old(), *SAGA)).instance is Instance.ACTIVE
    clock.now = UNKNOWN_AFTER + 1
    assert (await asked.of(KEY, old(), *SAGA)).instance is Instance.UNKNOWN


async def test_lost_is_only_what_a_person_says_the_searches_show_and_the_broker_does_not_know() -> None:
    active, nothing = FakeInstances("ACTIVE", {7: "ACTIVE"}), FakeInstances(None)
    assert (await of(active, FakeBroker(*GONE), lost_at=now()).of(KEY, young(), *SAGA)).instance is Instance.LOST
    assert (await of(active, FakeBroker(*GONE), lost_at=old()).of(KEY, young(), *SAGA)).instance is Instance.ACTIVE
    assert (await of(active, FakeBroker(*ALIVE), lost_at=now()).of(KEY, young(), *SAGA)).instance is Instance.ACTIVE
    assert (await of(nothing, FakeBroker(*GONE), lost_at=now()).of(KEY, young(), *SAGA)).instance is not Instance.LOST
    ended = FakeInstances("COMPLETED", {7: "COMPLETED"})
    assert (await of(ended, FakeBroker(*GONE), lost_at=now()).of(KEY, young(), *SAGA)).instance is Instance.COMPLETED


async def test_a_broker_that_does_not_answer_decides_nothing() -> None:
    away: Any = (grpc.StatusCode.UNAVAILABLE,) * 2
    with pytest.raises(Failure, match="UNAVAILABLE"):
        await of(FakeInstances(None), FakeBroker(*away)).of(KEY, old(), *SAGA)


@pytest.mark.parametrize("state", ["HIBERNATING", "CANCELED", ""])
async def test_a_state_that_nobody_knows_is_no_end_and_nothing_is_undone_for_it(state: str) -> None:
    """A later version may have states of its own; an element that was interrupted there may yet be begun anew."""
    broker, clock = FakeBroker(*GONE), Clock()
    asked = of(FakeInstances(state, {7: "TERMINATED"}), broker, clock=clock)
    for lapse, expected, what in (
        (0.0, Instance.ACTIVE, Verdict.WAIT),
        (UNKNOWN_AFTER + 1, Instance.UNKNOWN, Verdict.ASK),
    ):
        clock.now += lapse
        story = await asked.of(KEY, old(), *SAGA)
        assert (story.instance, story.element(7)) == (expected, Element.UNKNOWN)
        assert verdict(story.instance, story.element(7), has_undo=True) is what
    assert broker.asked == 0


async def test_an_element_in_a_state_that_nobody_knows_is_waited_for() -> None:
    story = await of(FakeInstances("COMPLETED", {7: "HIBERNATING"}), FakeBroker(*GONE)).of(KEY, old(), *SAGA)
    assert story.element(7) is Element.UNKNOWN
    assert verdict(story.instance, story.element(7), has_undo=True) is Verdict.WAIT


@pytest.mark.parametrize("statuses", [ALIVE, (grpc.StatusCode.FAILED_PRECONDITION,) * 2], ids=["takes", "refuses"])
async def test_a_suspended_instance_is_alive_whether_or_not_it_takes_variables(
    statuses: tuple[grpc.StatusCode, ...],
) -> None:
    suspended = FakeInstances("SUSPENDED", {7: "COMPLETED"})
    for made in (young(), old()):
        assert (await of(suspended, FakeBroker(*statuses)).of(KEY, made, *SAGA)).instance is Instance.ACTIVE
