"""What must be: a model of each participant, as plain Python, that says which answer is right and what the tables hold.

Commands count in the order in which they end, which is that of their commits. Where a command looks at something
before it ends that others may change meanwhile, what it has `seen` are all refusals that were right while it ran.
"""

import json
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field

from pydantic import BaseModel

from tests.services.model.commands import Answer, Branch, Command
from tests.services.postgres import Admin

Key = tuple[str, str]
"""Saga and branch."""


class Violation(AssertionError):
    """An invariant does not hold."""


def require(holds: bool, what: str, *details: object) -> None:  # noqa: FBT001 - reads as `assert` does
    """Raise where `assert` could be compiled away."""
    if not holds:
        raise Violation(" ".join([what, *map(str, details)]))


@dataclass(slots=True)
class _Stored:
    payload: BaseModel
    answer: Answer


@dataclass(slots=True)
class Books(ABC):
    """One participant in one sequence."""

    schema: str
    branches: tuple[Branch, ...]
    sagas: tuple[str, ...]
    done: dict[Key, _Stored] = field(default_factory=dict)
    undone: dict[Key, Answer] = field(default_factory=dict)
    fenced: set[Key] = field(default_factory=set)
    events: list[tuple[str, str]] = field(default_factory=list)

    @abstractmethod
    async def open(self, connection: Admin) -> None:
        """Make what the sequence needs."""

    @abstractmethod
    async def audit(self, connection: Admin) -> None:
        """Compare the participant's tables with the books.

        Raises:
            Violation: they differ.
        """

    @abstractmethod
    def payloads(self, branch: Branch) -> list[BaseModel]:
        """Return what a do may carry."""

    @abstractmethod
    def refusals(self, command: Command) -> set[str]:
        """Return the codes with which a do that nobody sent before may be refused now; `""` is success."""

    @abstractmethod
    def take_effect(self, command: Command) -> BaseModel | None:
        """Write down the effect, and return the answer where it can be known."""

    @property
    def undoable(self) -> Branch:
        """The branch that has an undo."""
        return self.branches[0]

    def guard(self, _command: Command) -> str:
        """Return the code of what is refused before the barrier is asked."""
        return ""

    def nothing_to_undo(self, _command: Command) -> BaseModel | None:
        """Return the answer to an undo of nothing."""
        return None

    def intend(self, command: Command) -> None:
        """Write down that the first of the command's two transactions is committed.

        Raises:
            Violation: it ought to have but one.
        """
        require(False, "committed before its end:", command)  # noqa: FBT003 - reads as `assert` does

    keeps: frozenset[str] = frozenset()
    """Codes of refusals that are stored, and so repeated."""

    def judge(self, command: Command, answer: Answer, seen: set[str]) -> None:
        """Check the answer of a command that has ended just now, and write down what it changed.

        Raises:
            Violation: it is not the right one.
        """
        key = command.saga, command.branch.name
        guarded = "" if command.is_undo else self.guard(command)
        if guarded:
            require(answer.code == guarded, "the guard lets it pass:", answer)
        elif command.is_undo:
            self._judge_undo(key, command, answer)
        elif key in self.fenced:
            require(answer.code == "COMMAND_FENCED", "a do after its undo is not fenced:", answer)
        elif key in self.done:
            self._judge_repeat(self.done[key], command, answer)
        else:
            self._judge_first(key, command, answer, seen)

    def _judge_repeat(self, first: _Stored, command: Command, answer: Answer) -> None:
        if command.payload == first.payload:
            require(_same(answer, first.answer), "a repeat is answered otherwise:", answer, first.answer)
        else:
            require(answer.code == "IDEMPOTENCY_KEY_REUSED", "another payload under one key:", answer)

    def _judge_first(self, key: Key, command: Command, answer: Answer, seen: set[str]) -> None:
        assert command.payload is not None
        now = self.refusals(command)
        code = answer.code or _code(answer)
        require(code in now or (bool(code) and code in seen), "a wrong answer:", answer, now, seen)
        if not code:
            expected = self.take_effect(command)
            if expected is not None:
                require(answer.body == _body(expected), "a wrong answer:", answer, expected)
        elif code not in self.keeps:
            return
        self.done[key] = _Stored(command.payload, answer)
        self.events.append((command.saga, f"saga.{self.schema}.{command.branch.name}.{'refused' if code else 'done'}"))

    def _judge_undo(self, key: Key, command: Command, answer: Answer) -> None:
        if key in self.undone:
            require(_same(answer, self.undone[key]), "a repeated undo is answered otherwise:", answer, self.undone[key])
            return
        require(answer.status == 200, "an undo is refused:", answer)
        first = self.done.get(key)
        if first and first.answer.status == 200:
            expected = self.take_effect(command)
        else:
            expected = self.nothing_to_undo(command)
            if first is None:
                self.fenced.add(key)
        require(expected is not None and answer.body == _body(expected), "a wrong undo:", answer, expected)
        self.undone[key] = answer
        self.events.append((command.saga, f"saga.{self.schema}.{command.branch.name}.undone"))

    def barrier_rows(self) -> Counter[tuple[object, ...]]:
        """Return what the barrier holds: saga, branch, op, fenced, status, answer."""
        dos = [(*key, "do", False, each.answer.status, each.answer.body) for key, each in self.done.items()]
        undos = [(*key, "undo", False, each.status, each.body) for key, each in self.undone.items()]
        return Counter([*dos, *undos, *((*key, "do", True, None, None) for key in self.fenced)])


def _same(one: Answer, other: Answer) -> bool:
    return (one.status, one.body) == (other.status, other.body)


def _body(answer: BaseModel) -> bytes:
    return answer.model_dump_json(by_alias=True).encode()


def _code(answer: Answer) -> str:
    """Return the code in a stored refusal, which is sent as bytes."""
    return "" if answer.status == 200 else str(json.loads(answer.body)["code"])
