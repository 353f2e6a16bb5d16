"""Middleware: logging, metrics, tracing and your own rules around every job.

    class OnlyByDay(Middleware):
        async def around(self, job: Job, proceed: Proceed) -> JobReply:
            if is_night():
                raise Unavailable("Parcels are handed over by day only.", retry_after=3600)
            return await proceed(job)

A middleware calls `proceed`, returns a reply of its own, or raises one of the outcomes. The first in a worker's list is
the outermost. A method that is not overridden costs nothing.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import structlog

from saga.kit.definition.job import Job, about
from saga.kit.definition.outcomes import JobReply
from saga.kit.execution.doubt import Doubt

_log = structlog.get_logger(__name__)

Proceed = Callable[[Job], Awaitable[JobReply]]
"""Calls the next middleware or the step; never raises, whatever the step did."""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a job ended."""

    job: Job
    reply: JobReply
    doubt: Doubt | None
    """Why it is unknown whether Zeebe accepted the reply; None if it did."""
    seconds: float
    """From its activation until Zeebe had the reply, or until the job entered the retry backlog.

    In a second outcome of a job, whose reply is in doubt: how long the reply was being sent.
    """


class Middleware:
    """Override one method or both."""

    async def around(self, job: Job, proceed: Proceed) -> JobReply:
        """Return the reply to the job: that of `await proceed(job)`, or another one.

        Raises:
            StepError: The job ends as the outcomes table says; its step does not run.
        """
        return await proceed(job)

    def ended(self, ended: JobOutcome) -> None:
        """Observe how a job ended; called in the event loop once for every job that got a reply.

        A job with a backoff is reported when it enters the retry backlog, and a second time if its reply is then in
        doubt. A job that a stopping worker releases is reported if that is in doubt.
        """


def reporter(middleware: Iterable[Middleware]) -> Callable[[JobOutcome], None]:
    """Return a function that reports a job's outcome to all of `middleware`, and logs what one of them raises."""
    observers = [each.ended for each in middleware if type(each).ended is not Middleware.ended]

    def report(ended: JobOutcome) -> None:
        for observe in observers:
            try:
                observe(ended)
            except BaseException as error:  # noqa: BLE001 - an observer of one job must not harm the next one
                _log.error("bug in a middleware", **about(ended.job), exc_info=error)

    return report


def chained(middleware: Iterable[Middleware], step: Proceed, guarded: Callable[[Proceed], Proceed]) -> Proceed:
    """Put `middleware` around `step`; `guarded` turns an exception of one of them into a reply."""
    proceed = step
    for each in reversed(list(middleware)):
        if type(each).around is not Middleware.around:
            proceed = guarded(_wrapped(each, proceed))
    return proceed


def _wrapped(middleware: Middleware, proceed: Proceed) -> Proceed:
    async def run(job: Job) -> JobReply:
        reply: object = await middleware.around(job, proceed)
        if not isinstance(reply, JobReply):
            message = f"{type(middleware).__name__} answered a job with {type(reply).__name__}"
            raise TypeError(message)
        return reply

    return run
