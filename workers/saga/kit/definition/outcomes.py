"""The outcomes of a step, and the table of replies to Zeebe: the only module that builds replies.

    StepError
    ├── Declined      a participant refused for a business reason  →  BPMN error with that code
    ├── Unavailable   try again later; the effect may be unknown   →  fail, retries - 1, backoff
    └── Broken        a person has to look                         →  fail, retries 0: an incident
        ├── PoisonJob     it was activated too often without a reply
        └── ResultRefused Zeebe refuses the step's result

Python's own `TimeoutError` and `ConnectionError` count as `Unavailable`. Any other exception counts as `Broken`: it is
a bug, and its text may hold a customer's data, so Zeebe (and Operate) only gets the exception's type.

A receipt becomes `complete`; a job that did not run keeps its retries: `not_run`.
"""

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from random import Random

from saga.common.problems import FieldError
from saga.kit.definition.retry import Retry

_WISH_LIMIT = 86_400.0
"""Seconds: the longest wait that a participant may wish for."""
_ERROR_LIMIT = 50
"""Wrong fields that a reply names at most: the size of the broker's records is limited."""
_MESSAGE_LIMIT = 2_000
"""Characters of an incident's text: enough for a person, far below the broker's record limit."""


class StepError(Exception):
    """A step ended without a receipt."""


class Declined(StepError):
    """A participant refused for a business reason; the saga takes its compensation path."""

    def __init__(self, code: str, message: str, errors: tuple[FieldError, ...] = ()) -> None:
        """`code` is the BPMN error code; `message` is for people and goes to Operate.

        Raises:
            TypeError: One of them is not text, or one of `errors` is not a FieldError.
        """
        super().__init__(f"{code}: {message}")
        if not (isinstance(code, str) and isinstance(message, str)):
            wrong = "Declined takes a code and a message, both of them text"
            raise TypeError(wrong)
        if not all(isinstance(each, FieldError) for each in errors):
            wrong = "Declined takes errors that are each a FieldError"
            raise TypeError(wrong)
        self.code = code
        self.message = message
        self.errors = errors


class Unavailable(StepError):
    """It is unknown whether the command took effect, or it was not possible now: try again with the same key."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """`retry_after` is the participant's own wish in seconds; it replaces a shorter backoff, up to a day.

        Raises:
            TypeError: It is not a number.
        """
        super().__init__(message)
        self.retry_after = None if retry_after is None else float(retry_after)


class Broken(StepError):
    """Trying again cannot help; the message says what to do, and never repeats a variable's value."""


class PoisonJob(Broken):
    """The job was activated again and again and never got a reply: most likely it kills its worker."""

    def __init__(self, activations: int) -> None:
        """It was activated `activations` times."""
        super().__init__(f"activated {activations} times and never answered")
        self.activations = activations


class ResultRefused(Broken):
    """Zeebe will never accept the step's result."""


@dataclass(frozen=True, slots=True)
class Complete:
    """The job is completed; `variables` is a JSON object with the step's receipt."""

    variables: str


@dataclass(frozen=True, slots=True)
class Throw:
    """The job ends in the BPMN error `code`; `variables` is a JSON object for the event that catches it."""

    code: str
    message: str
    variables: str


@dataclass(frozen=True, slots=True)
class Fail:
    """The job failed: tried again after `backoff` seconds, or an incident where `retries` is 0."""

    retries: int
    backoff: float
    message: str

    def after_backoff(self, retries: int) -> "Fail":
        """Return the same failure, with `retries`, for a job whose backoff is over or was cut short."""
        return Fail(retries, 0.0, self.message)


JobReply = Complete | Throw | Fail


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the table has to know about a job."""

    task_type: str
    retries: int
    """How many tries are left, including this one."""
    retry: Retry
    refusals: AbstractSet[str] = field(default_factory=frozenset)
    saga_id: str | None = None
    """None if the job's variables cannot be read."""
    undoes: str | None = None
    """The task type of the do that this one undoes; None if it is a do itself."""
    participants: tuple[str, ...] = ()
    """The names of the participants that the step calls."""


def reply_to(error: BaseException, attempt: Attempt, random: Random) -> JobReply:  # noqa: PLR0911 - a line for each row
    """Return the reply for a job whose step raised `error`: the outcomes table."""
    match error:
        case Declined() if error.code in attempt.refusals:
            return throw(error, attempt.task_type)
        case Declined() if attempt.undoes:
            return _again(
                attempt, random, f"{attempt.task_type} was refused with {error.code}, but an undo must succeed."
            )
        case Declined():
            return _incident(
                attempt,
                f"{attempt.task_type} was refused with {error.code}, which its step does not declare. "
                "Declare the code in the step and catch it in the diagram, or mend the participant, then retry.",
            )
        case Unavailable():
            return _again(attempt, random, str(error), error.retry_after)
        case TimeoutError() | ConnectionError():
            return _again(attempt, random, f"{attempt.task_type} got no answer ({type(error).__name__}).")
        case PoisonJob(activations=activations):
            return _incident(
                attempt,
                f"{attempt.task_type} was activated {activations} times and never answered: most likely it kills its "
                "worker, unless the broker was unavailable each time. Look at the worker's log and its memory, fix "
                "the step or the variables, then retry.",
            )
        case ResultRefused():
            return _incident(
                attempt,
                f"{attempt.task_type} ended, but the engine refuses its result. Fix what the step returns, then "
                "retry: the same command has one effect.",
            )
        case Broken():
            return _incident(attempt, str(error))
        case _:
            return _incident(
                attempt,
                f"{attempt.task_type} failed with a bug of its own: {type(error).__name__}. "
                "The worker's log has the traceback under this job's key; deploy a mended worker, then retry.",
            )


def complete(variables: str) -> Complete:
    """Return the reply for a job whose step succeeded; `variables` is a JSON object with its receipt."""
    return Complete(variables)


def bug(task_type: str, error: BaseException) -> Fail:
    """Return the incident for a failure that the table itself failed on: it needs no more than the task type."""
    return Fail(
        0,
        0.0,
        f"bug: {type(error).__name__} in {task_type}. What it did is unknown. The worker's log has the traceback under "
        "this job's key; fix the step, deploy the worker, then retry: the same command has one effect.",
    )


def not_run(retries: int, why: str, backoff: float = 0.0) -> Fail:
    """Return the reply for a job that did not run: it keeps its `retries` and runs again after `backoff` seconds."""
    return Fail(retries, backoff, why)


def throw(error: Declined, task_type: str) -> Throw:
    """Return the BPMN error, with the variable `refusal` that tells the process why."""
    refusal: dict[str, object] = {"code": error.code, "message": _clip(error.message), "taskType": task_type}
    if error.errors:
        named = error.errors[:_ERROR_LIMIT]
        refusal["errors"] = [{"field": _clip(each.field), "message": _clip(each.message)} for each in named]
    return Throw(error.code, _clip(error.message), json.dumps({"refusal": refusal}))


def _again(attempt: Attempt, random: Random, message: str, retry_after: float | None = None) -> Fail:
    left = min(attempt.retries, attempt.retry.retries)
    if left <= 1:
        return _incident(
            attempt,
            f"{attempt.task_type} has no retries left; its policy is {attempt.retry}. The last time: {message} "
            "Once the cause is gone, retry the incident: the same command has one effect.",
        )
    backoff = attempt.retry.backoff(left, random)
    return Fail(left - 1, max(backoff, min(retry_after or 0.0, _WISH_LIMIT)), _clip(message))


def _incident(attempt: Attempt, message: str) -> Fail:
    saga = f"Saga {attempt.saga_id}: " if attempt.saga_id else ""
    where = f" at {' and '.join(attempt.participants)}" if attempt.participants else ""
    stands = f" Until the undo succeeds, what {attempt.undoes} did{where} counts as standing." if attempt.undoes else ""
    return Fail(0, 0.0, _clip(f"{saga}{message}{stands}"))


def _clip(message: str) -> str:
    message = message.encode(errors="replace").decode()  # Half a surrogate pair cannot be sent.
    return message if len(message) <= _MESSAGE_LIMIT else message[: _MESSAGE_LIMIT - 1] + "…"
