"""A batch: the commands that are committed together, where that is done, and the future that all of them wait for."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .core import Answer, Command, Record, Rejection
from .polls import Poll
from .streams import JobStream


class Store(Protocol):
    """Where batches are committed; it is called in one thread of its own."""

    def append(self, records: Sequence[Record]) -> None:
        """Return once the records are on the disk."""

    def snapshot_position(self) -> int:
        """Return the position of the last record in the newest snapshot; 0 where there is none."""

    def save_snapshot(self, state: bytes, position: int) -> None:
        """Store the state as it was after the record at `position`."""

    def remove_older(self, before: int) -> int | None:
        """Remove a portion of what is too old; return the time of the oldest that is left and may go once."""


class Commit(asyncio.Future[None]):
    """Done once the batch is on the disk.

    Many requests wait for the same one, and a task that is cancelled cancels what it waits for: this refuses, so the
    cancelled request ends with the commit and the others get their answers.
    """

    def cancel(self, msg: Any | None = None) -> bool:  # noqa: ARG002, ANN401 - the signature is asyncio's
        """Refuse."""
        return False


@dataclass(slots=True)
class Entry:
    """A command that waits to be processed."""

    command: Command
    result: asyncio.Future[str] | None = None
    """For a creation with result: gets the instance's variables when it completes."""
    response: dict[str, Any] | Rejection | None = None


@dataclass(slots=True)
class Batch:
    """What arrived while the batch before was being committed, and what came of it."""

    committed: Commit
    entries: list[Entry] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)
    """Polls that have not been tried yet."""
    records: list[Record] = field(default_factory=list)
    activatable: list[tuple[str, int]] = field(default_factory=list)
    """Type and key of the jobs that nobody has been offered yet."""
    woken: Counter[str] = field(default_factory=Counter)
    """How many jobs of a type are there for polls only."""
    pushes: list[tuple[JobStream, list[dict[str, Any]]]] = field(default_factory=list)
    served: list[tuple[Poll, list[dict[str, Any]], bool]] = field(default_factory=list)
    """Polls with their answers: jobs, and whether the batch of jobs was cut."""
    results: dict[int, str] = field(default_factory=dict)
    """Variables of completed instances whose end may be waited for, by instance key."""

    def __len__(self) -> int:
        """Return how many requests wait in it."""
        return len(self.entries) + len(self.polls)

    def take(self, answer: Answer) -> dict[str, Any]:
        """Take over what a command led to; return its response, empty for a rejection."""
        self.records += answer.records
        self.activatable += answer.activatable
        self.results.update(answer.results)
        return answer.response if isinstance(answer.response, dict) else {}
