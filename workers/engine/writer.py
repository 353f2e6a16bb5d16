"""The one writer: it takes commands one at a time, commits them in batches, and only then answers."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class JobRequest(NamedTuple):
    """Which jobs a client wants: what a poll and a stream have in common."""

    type: str
    worker: str
    timeout: int
    """Milliseconds of the jobs' lease."""
    fetch_variables: tuple[str, ...] = ()
    """Names of the variables to bring; empty for all visible ones."""


class Activated(NamedTuple):
    """The answer to a poll."""

    jobs: list[dict[str, Any]]
    """ActivatedJob dicts; empty where the poll's time ran out."""
    truncated: bool


class Writer:
    """Takes commands from the gateway and REST; every method belongs to the one event loop."""

    async def send(self, command: Any) -> dict[str, Any]:  # core.Command
        """Carry out a command and return its response once its batch is on the disk.

        Raises:
            Rejection: (of core) It was refused; raised after the commit as well, for it may rest on the same batch.
            Busy: More than 2,000 commands wait.
            Stopping: The engine is shutting down.
        """
        raise NotImplementedError

    async def activate(self, request: JobRequest, max_jobs: int, request_timeout: int) -> Activated:
        """Activate jobs; where there are none, wait for them (long poll), the oldest waiting poll first.

        `request_timeout` is in milliseconds of real time: negative waits not at all, 0 is the default of 10 s.
        A task that is cancelled while it waits gives its jobs back by itself. Whoever cannot deliver what this
        returned (the client has gone) calls `give_back`.

        Raises:
            Busy, Stopping: As `send`.
        """
        raise NotImplementedError

    def give_back(self, jobs: Sequence[dict[str, Any]]) -> None:
        """Make jobs activatable again that were activated and did not reach their client (JOB YIELD)."""
        raise NotImplementedError

    async def create_with_result(self, value: dict[str, Any], request_timeout: int) -> dict[str, Any]:
        """Create an instance and wait for its end; the response of the creation with `variables` (JSON text) added.

        `value` is that of PROCESS_INSTANCE_CREATION CREATE_WITH_AWAITING_RESULT; `request_timeout` is in
        milliseconds of real time, 0 is the default of 15 s.

        Raises:
            Rejection, Busy, Stopping: As `send`.
            Overdue: The instance did not complete in time; it goes on.
        """
        raise NotImplementedError

    def clock(self) -> int:
        """Return the engine's time in milliseconds since 1970 (pinned or not)."""
        raise NotImplementedError

    listeners: list[Callable[[Sequence[Any]], None]]
    """Called in the loop with the records of each batch after its commit (metrics)."""
