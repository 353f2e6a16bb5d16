"""A line in the log for each job that ends: without variables, which belong to the customer."""

import structlog

from saga.kit.definition.job import about
from saga.kit.definition.outcomes import Complete, Fail, JobReply, Throw
from saga.kit.execution.middleware import JobOutcome, Middleware

_log = structlog.get_logger(__name__)


class Log(Middleware):
    """Logs how each job ended, and a reply in doubt as a warning."""

    def ended(self, ended: JobOutcome) -> None:
        """Write one line."""
        line = {**about(ended.job), **_summary(ended.reply), "seconds": round(ended.seconds, 3)}
        if ended.doubt is None:
            _log.info("job answered", **line)
        else:
            _log.warning("answer in doubt", doubt=ended.doubt.value, **line)


def _summary(reply: JobReply) -> dict[str, object]:
    match reply:
        case Complete():
            return {"answer": "complete"}
        case Throw(code):
            return {"answer": "throw", "code": code}
        case Fail(retries, backoff, message):
            return {"answer": "fail", "retries": retries, "backoff": round(backoff, 3), "why": message}
