"""The state machine: it sends commands, lets their statements run in any order, kills, repeats, and then looks."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias, TypeVar

import asyncpg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.services.model.books import Books, require
from tests.services.model.commands import Answer, Command
from tests.services.model.lanes import Killed, Lane, Scheduler
from tests.services.model.participants import Inventory, Orders, Shipping

LANES = 3
"""Commands that run at the same time at most."""
_FEWEST = 3
"""Commands of a sequence that counts."""
ANY = st.integers(0, 11)
"""Stands for one of what there is then: the remainder picks."""
_DO = st.tuples(ANY, ANY, ANY)
"""Stands for a saga, a branch and a payload."""
_Chosen: TypeAlias = tuple[int, int, int]
_T = TypeVar("_T")


@dataclass
class World:
    """What is kept from one sequence to the next: connections; and what was played, in numbers."""

    loop: asyncio.AbstractEventLoop
    lanes: dict[str, list[Lane]]
    watcher: "asyncpg.Connection[asyncpg.Record]"
    events: dict[str, int]
    """The position of the last event that was looked at, by service."""
    played: Counter[str] = field(default_factory=Counter)


class Machine(RuleBasedStateMachine):
    """One sequence at one participant.

    No rule has a precondition: two commands that waited for a third race when it is cut off, PostgreSQL decides, and
    Hypothesis must be able to draw the same again whoever wins. A rule that does not fit at its moment does nothing.
    """

    participants: ClassVar[dict[str, Callable[[], Books]]] = {
        "inventory": Inventory,
        "shipping": Shipping,
        "orders": Orders,
    }
    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Command] = []
        self.running: dict[Lane, Command] = {}
        self.glimpses: dict[Lane, set[str]] = {}
        self.ended: list[tuple[Lane, Command, Answer | None]] = []
        self.unanswered: list[Command] = []
        self.lost = False

    @initialize(where=ANY, begun=st.booleans(), pair=st.tuples(_DO, _DO))
    def at(self, where: int, pair: tuple[_Chosen, _Chosen], *, begun: bool) -> None:
        service = pick(sorted(self.world.lanes), where)
        self.books = self.participants[service]()
        self.scheduler = Scheduler(self.world.lanes[service], self.world.watcher)
        self._run(self.books.open(self.world.watcher))
        if begun:  # The first saga is done already.
            branch = self.books.undoable
            self._run(self._send(Command(self.books.sagas[0], branch, self.books.payloads(branch)[0])))
            self._run(self._finish())
        for chosen in pair:  # Two at once, or most sequences would hold no two new commands side by side.
            self.do(chosen)

    @rule(chosen=_DO)
    def do(self, chosen: _Chosen) -> None:
        saga, branch, payload = chosen
        the_branch = pick(self.books.branches, branch)
        command = Command(pick(self.books.sagas, saga), the_branch, pick(self.books.payloads(the_branch), payload))
        self._run(self._send(command))

    @rule(saga=ANY)
    def undo(self, saga: int) -> None:
        self._run(self._send(Command(pick(self.books.sagas, saga), self.books.undoable, None)))

    @rule(which=ANY)
    def repeat(self, which: int) -> None:
        self._run(self._send(pick(self.sent, which)))

    @rule(which=ANY, payload=ANY)
    def late(self, which: int, payload: int) -> None:
        if self.books.undone:
            saga, _ = pick(sorted(self.books.undone), which)
            branch = self.books.undoable
            self._run(self._send(Command(saga, branch, pick(self.books.payloads(branch), payload))))

    @rule(lane=ANY, statements=st.integers(1, 6))
    def go_on(self, lane: int, statements: int) -> None:
        async def go_on(chosen: Lane) -> None:
            for _ in range(statements):
                if chosen.waits_for_us:
                    await self._step(chosen)

        if self.scheduler.runnable:
            self._run(go_on(pick(self.scheduler.runnable, lane)))

    @rule(lane=ANY, statements=st.integers(0, 4))
    def crash_before_commit(self, lane: int, statements: int) -> None:
        async def crash(victim: Lane) -> None:
            for _ in range(statements):
                if victim.waits_for_us and not victim.at_commit:
                    await self._step(victim)
            if victim.waits_for_us:
                self.world.played["crashes before commit"] += 1
                await self._step(victim, crash=True)

        # One crash of each kind in a sequence: more of them leave few commands that run side by side.
        if self.scheduler.runnable and not self.unanswered:
            self._run(crash(pick(self.scheduler.runnable, lane)))

    @rule(lane=ANY)
    def crash_after_commit(self, lane: int) -> None:
        async def crash(victim: Lane) -> None:
            command = self.running[victim]
            while victim.waits_for_us:
                await self._step(victim)
            if victim.committed:
                # The answer is lost on its way, and the caller repeats; the test has seen it all the same.
                self.world.played["crashes after commit"] += 1
                self.lost = True
                await self._send(command)

        if self.scheduler.runnable and not self.lost:
            self._run(crash(pick(self.scheduler.runnable, lane)))

    def teardown(self) -> None:
        """Let everything end, repeat what was not answered, and compare the tables with the books."""
        if not hasattr(self, "books"):
            return
        try:
            self._run(self._end())
        finally:
            self._run(self.scheduler.clear())
        played = self.world.played
        if len(self.sent) >= _FEWEST:
            played["sequences"] += 1
            played[f"sequences at {self.books.schema}"] += 1
        played["commands"] += len(self.sent)

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.world.loop.run_until_complete(coroutine)

    async def _send(self, command: Command) -> None:
        """Give the command to a free lane, where it waits before its first statement."""
        while not self.scheduler.free:
            await self._step(self.scheduler.runnable[0])
        lane = self.scheduler.free[0]
        self.sent.append(command)
        self.running[lane] = command
        self.glimpses[lane] = set()
        self._glimpse()

        async def send() -> None:
            answer = None
            with suppress(Killed):
                answer = await command.send(lane)
            self.ended.append((lane, command, answer))

        lane.start(send())
        await self.scheduler.settle()

    async def _step(self, lane: Lane, *, crash: bool = False) -> None:
        """Let one statement go, and judge the commands that have ended by it."""
        self.world.played["statements"] += 1
        lane.go_on(crash=crash)
        await self.scheduler.settle()
        busy = [each for each in self.scheduler.lanes if each.busy]
        if any(each.blocked for each in busy):
            self.world.played["statements while one waited for a lock"] += 1
        for each in self.running.keys() - busy:
            del self.running[each]
            each.raise_bug()
        if lane.busy and lane.committed:
            self.books.intend(self.running[lane])
        # Whoever waited for this lane's commit has ended after it.
        for ended in sorted(self.ended, key=lambda ended: ended[0] is not lane):
            self._judge(*ended)
        self.ended.clear()
        require(not busy or bool(self.scheduler.runnable), "each command waits for another: a deadlock")

    def _judge(self, lane: Lane, command: Command, answer: Answer | None) -> None:
        if answer is None or lane.crashed:
            require(not answer or answer.code == "DATABASE_UNAVAILABLE", "a cut connection is answered with", answer)
            self.unanswered.append(command)
        else:
            self.books.judge(command, answer, self.glimpses[lane])
        self._glimpse()

    def _glimpse(self) -> None:
        """Note what the running commands may see now."""
        for lane, command in self.running.items():
            if not command.is_undo:
                self.glimpses[lane] |= self.books.refusals(command)

    async def _end(self) -> None:
        await self._finish()
        for command in self.unanswered:
            await self._send(command)
            await self._finish()
        await self._audit()

    async def _finish(self) -> None:
        while self.scheduler.runnable:
            for lane in self.scheduler.runnable:
                if lane.waits_for_us:
                    await self._step(lane)

    async def _audit(self) -> None:
        connection, books = self.world.watcher, self.books
        await books.audit(connection)
        columns = "saga_id, branch, op, fenced, status, answer"
        query = f"SELECT {columns} FROM {books.schema}.barrier WHERE saga_id = ANY($1)"  # noqa: S608 - our names
        rows = Counter(tuple(row.values()) for row in await connection.fetch(query, books.sagas))
        require(rows == books.barrier_rows(), "the barrier's rows are wrong:", rows, books.barrier_rows())
        query = f"SELECT position, event->>'subject', event->>'type' FROM {books.schema}.outbox WHERE position > $1"  # noqa: S608 - our names
        events = await connection.fetch(query, self.world.events[books.schema])
        self.world.events[books.schema] = max(
            [self.world.events[books.schema], *(event["position"] for event in events)]
        )
        # What is left of a sequence that was broken off is none of ours.
        found = Counter((subject, kind) for _, subject, kind in events if subject in books.sagas)
        require(found == Counter(books.events), "the events are wrong:", found, books.events)


def pick(choices: Sequence[_T], number: int) -> _T:
    return choices[number % len(choices)]
