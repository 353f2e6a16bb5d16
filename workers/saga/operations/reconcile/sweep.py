"""One comparison of all unsettled effects with the engine's records, and what follows from it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from saga.clients.failure import Failure
from saga.kit.definition.registry import SagaRegistry
from saga.operations.reconcile.effects import Effect, Ledger, Settlement
from saga.operations.reconcile.records import Records, Story
from saga.operations.reconcile.undo_executor import UndoExecutor
from saga.operations.reconcile.verdict import Instance, Verdict, verdict

_AT_ONCE = 8
"""Sagas that are looked at, or undone, at once: what a cluster answers without getting slow for people."""

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one effect."""

    effect: Effect
    instance: Instance
    verdict: Verdict
    done: bool = False
    """Whether it is settled now."""
    why_not: str | None = None
    """Why it could not be settled; the next sweep tries again."""


Ask = Callable[[Finding], Awaitable[None]]
"""Gives an effect to a person; said twice for the same effect, a person is asked once."""


class Sweeper:
    """Finds and settles; safe to run in many copies, and to kill at any moment: whatever it does has one effect."""

    def __init__(
        self, ledgers: Sequence[Ledger], records: Records, sagas: SagaRegistry, undoing: UndoExecutor, ask: Ask
    ) -> None:
        """Compare `ledgers` with `records`; an effect is of that one of the `sagas` whose step had it done."""
        self._sagas = sagas
        self._ledgers = {ledger.participant: ledger for ledger in ledgers}
        self._records = records
        self._undoing = undoing
        self._ask = ask

    async def find(
        self, troubles: list[str], *, older_than: float = 0.0, saga_id: str | None = None
    ) -> AsyncIterator[list[Finding]]:
        """Decide about each unsettled effect that is older than so many seconds, of one saga or of all.

        Gives a part of them at a time, and holds no more, however many there are. A participant that does not answer is
        passed over, and told of in `troubles`.

        Raises:
            Failure: The cluster does not answer.
        """
        going = {
            name: ledger.unsettled(older_than=older_than, saga_id=saga_id) for name, ledger in self._ledgers.items()
        }
        while going:
            pages: list[Effect] = []
            for name, effects in list(going.items()):
                page: list[Effect] = []
                try:
                    page = await anext(effects)
                except StopAsyncIteration:
                    del going[name]
                except Failure as failure:
                    troubles.append(str(failure))
                    del going[name]
                pages += page
            yield await self._judge(pages)

    async def settle(self, findings: Iterable[Finding]) -> list[Finding]:
        """Carry out what was decided; return the findings with what came of them."""
        by_verdict: dict[Verdict, list[Finding]] = {each: [] for each in Verdict}
        for finding in findings:
            by_verdict[finding.verdict].append(finding)
        by_saga: dict[str, list[Finding]] = defaultdict(list)
        for finding in by_verdict[Verdict.UNDO]:
            by_saga[finding.effect.saga_id].append(finding)
        undone = await _each(by_saga, lambda saga_id: self._undo(saga_id, by_saga[saga_id]))
        kept = await self._write_down(by_verdict[Verdict.KEEP], Settlement.KEPT)
        asked = await self._write_down(await _each(by_verdict[Verdict.ASK], self._give), Settlement.ASKED)
        return [*by_verdict[Verdict.WAIT], *kept, *asked, *(finding for findings in undone for finding in findings)]

    async def ask_again(self, effects: Iterable[Effect]) -> list[str]:
        """Ask people anew about what they were asked before: the engine has lost that. Return what went wrong."""
        findings = [Finding(effect, Instance.UNKNOWN, Verdict.ASK) for effect in effects]
        return sorted({asked.why_not for asked in await _each(findings, self._give) if asked.why_not is not None})

    async def _judge(self, effects: Iterable[Effect]) -> list[Finding]:
        by_instance: dict[int | None, list[Effect]] = defaultdict(list)
        for effect in effects:
            by_instance[effect.keys and effect.keys[0]].append(effect)

        async def judge(instance: int | None) -> list[Finding]:
            of_it = by_instance[instance]
            story = Story(Instance.UNKNOWN, {})
            if instance is not None:
                found = (self._sagas.of_task_type(effect.caller) for effect in of_it)
                key = next((saga.key for saga in found if saga), None)
                story = await self._records.of(instance, min(effect.at for effect in of_it), of_it[0].saga_id, key)
            return [self._finding(effect, story) for effect in of_it]

        judged = await _each(by_instance, judge)
        return [finding for findings in judged for finding in findings]

    def _finding(self, effect: Effect, story: Story) -> Finding:
        element = story.element(effect.keys[1] if effect.keys else 0)
        return Finding(
            effect, story.instance, verdict(story.instance, element, has_undo=self._undoing.has_undo(effect))
        )

    async def _undo(self, saga_id: str, seen: list[Finding]) -> list[Finding]:
        """Undo a saga's effects, the last one first; where one cannot be undone, those before it wait for it."""
        try:
            # All of them, from all participants, and as they are now: the order is that of the saga, and not of pages.
            effects = [
                each
                for ledger in self._ledgers.values()
                async for page in ledger.unsettled(saga_id=saga_id)
                for each in page
            ]
            findings = [each for each in await self._judge(effects) if each.verdict is Verdict.UNDO]
        except Failure as failure:
            return [replace(finding, why_not=str(failure)) for finding in seen]
        why_not: str | None = None
        results = []
        # An instance's keys are given in the order of time.
        for finding in sorted(findings, key=lambda each: each.effect.keys or (0, 0), reverse=True):
            if why_not is None:
                why_not = await self._undoing.undo(finding.effect)
            results.append(replace(finding, done=why_not is None, why_not=why_not))
        return results

    async def _give(self, finding: Finding) -> Finding:
        try:
            await self._ask(finding)
        except Failure as failure:
            return replace(finding, why_not=str(failure))
        return finding

    async def _write_down(self, findings: Sequence[Finding], settlement: Settlement) -> list[Finding]:
        results = [finding for finding in findings if finding.why_not is not None]
        by_participant: dict[str, list[Finding]] = defaultdict(list)
        for finding in findings:
            if finding.why_not is None:
                by_participant[finding.effect.participant].append(finding)
        for participant, of_it in by_participant.items():
            try:
                await self._ledgers[participant].settle([each.effect for each in of_it], settlement)
            except Failure as failure:
                results += [replace(finding, why_not=str(failure)) for finding in of_it]
            else:
                results += [replace(finding, done=True) for finding in of_it]
        return results


async def _each(these: Iterable[_T], do: Callable[[_T], Awaitable[_R]]) -> list[_R]:
    """Do it for each of them, a few at once; the results are in their order."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(this: _T) -> _R:
        async with slots:
            return await do(this)

    return list(await asyncio.gather(*(one(this) for this in these)))
