"""What every job passes on its way to its step: the one place for logging, metrics, tracing and rules of one's own.

    class OnlyByDay(Middleware):
        async def around(self, job: Job, proceed: Proceed) -> Answer:
            if is_night():
                raise Unavailable("Parcels are handed over by day only.", retry_after=3600)
            return await proceed(job)

A middleware lets the job go on with `proceed`, answers it itself, or raises one of the outcomes. The first of a
worker's list is the outermost. What a middleware does not override costs nothing.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import structlog

from saga.kit.definition.job import Job, about
from saga.kit.definition.outcomes import JobReply
from saga.kit.execution.doubt import Doubt

_log = structlog.get_logger(__name__)

Proceed = Callable[[Job], Awaitable[JobReply]]
"""Lets a job go on to the next middleware or to its step; never raises, whatever the step did."""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """A job that is not in hand any more."""

    job: Job
    answer: JobReply
    doubt: Doubt | None
    """Why nobody knows whether the broker took the answer; None where it did."""
    seconds: float
    """From its arrival to the end of its answer's delivery, or to the beginning of its wait for the next try.

    Told once more, of an answer in doubt: how long the broker was asked to take it.
    """


class Middleware:
    """Override one method or both."""

    async def around(self, job: Job, proceed: Proceed) -> JobReply:
        """Answer the job: by `await proceed(job)`, or without it.

        Raises:
            StepError: the job ends as the outcomes table says; its step is not run.
        """
        return await proceed(job)

    def ended(self, ended: JobOutcome) -> None:
        """See how a job ended; called in the event loop once for every job that was answered.

        A job that waits for its next try is seen when its wait begins, and once more if its answer is in doubt then;
        one that a worker hands back when it stops is seen where that is in doubt.
        """


def teller(middleware: Iterable[Middleware]) -> Callable[[JobOutcome], None]:
    """Return what tells all of `middleware` how a job ended; what one of them raises is logged and harms nobody."""
    watching = [each.ended for each in middleware if type(each).ended is not Middleware.ended]

    def tell(ended: JobOutcome) -> None:
        for see in watching:
            try:
                see(ended)
            except BaseException as error:  # noqa: BLE001 - who watches a job must not harm the next one
                _log.error("bug in a middleware", **about(ended.job), exc_info=error)

    return tell


def chained(middleware: Iterable[Middleware], step: Proceed, guarded: Callable[[Proceed], Proceed]) -> Proceed:
    """Put `middleware` around `step`; `guarded` turns what one of them raises into an answer."""
    proceed = step
    for each in reversed(list(middleware)):
        if type(each).around is not Middleware.around:
            proceed = guarded(_link(each, proceed))
    return proceed


def _link(middleware: Middleware, proceed: Proceed) -> Proceed:
    async def answer(job: Job) -> JobReply:
        said: object = await middleware.around(job, proceed)
        if not isinstance(said, JobReply):
            message = f"{type(middleware).__name__} answered a job with {type(said).__name__}"
            raise TypeError(message)
        return said

    return answer
