"""The state machine of a participant whose effect is at a third party: the conversation is a step, and may go wrong."""

from collections.abc import Callable
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.services.model.books import Books, require
from tests.services.model.commands import Answer, Command
from tests.services.model.lanes import Lane
from tests.services.model.machine import ANY, Machine, pick
from tests.services.model.payment import Payments
from tests.services.model.third_party import CallingLane, Mishap, ThirdParty

_MISHAPS = 3
"""Calls of a sequence that go wrong, at most."""


class MachineElsewhere(Machine):
    """One sequence at payment."""

    participants: ClassVar[dict[str, Callable[[], Books]]] = {"payment": Payments}

    @rule(lane=ANY, mishap=st.sampled_from(Mishap))
    def call_goes_wrong(self, lane: int, mishap: Mishap) -> None:
        async def go_wrong(victim: CallingLane) -> None:
            while victim.waits_for_us and not victim.calling:
                await self._step(victim)
            if victim.calling:
                self.world.played["calls that went wrong"] += 1
                victim.mishap = mishap
                await self._step(victim)

        if self.scheduler.runnable and len(self.unanswered) < _MISHAPS:
            # Those that wait with a call first: the others may have nothing to say.
            lanes = [_caller(each) for each in self.scheduler.runnable]
            self._run(go_wrong(pick([each for each in lanes if each.calling] or lanes, lane)))

    @rule(which=ANY)
    def late_call_arrives(self, which: int) -> None:
        if self._processor.under_way:
            self._run(self._hear(which))

    @property
    def _processor(self) -> ThirdParty:
        return _caller(self.scheduler.lanes[0]).other

    async def _hear(self, which: int) -> None:
        self.world.played["calls that arrived late"] += 1
        calls = self._processor.under_way
        await self._processor.hear(calls.pop(which % len(calls)))
        await self._look()

    async def _look(self) -> None:
        assert isinstance(self.books, Payments)
        await self.books.look(self.world.watcher)

    async def _step(self, lane: Lane, *, crash: bool = False) -> None:
        called = _caller(lane).calling
        await super()._step(lane, crash=crash)
        if called or lane.committed:
            await self._look()

    def _judge(self, lane: Lane, command: Command, answer: Answer | None) -> None:
        if _caller(lane).mishap:
            require(answer is not None and answer.code == "OUTCOME_UNKNOWN", "an answer that nobody gave:", answer)
            self.unanswered.append(command)
            self._glimpse()
        else:
            super()._judge(lane, command, answer)

    async def _audit(self) -> None:
        while self._processor.under_way:
            await self._hear(0)
        await super()._audit()


def _caller(lane: Lane) -> CallingLane:
    assert isinstance(lane, CallingLane)
    return lane
