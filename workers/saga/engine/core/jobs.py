"""Jobs as records tell them."""

import msgspec

from .entities import ElementInstance, Job
from .model import Element
from .records import NONE_KEY, not_extracted
from .work import Work

MAX_RETRIES = 2**31 - 1


def prepare(work: Work, instance: ElementInstance, element: Element) -> dict[str, object]:
    """Return the job that a task makes.

    Raises:
        Fault: EXTRACT_VALUE_ERROR: its type or its retries cannot be had.
    """
    assert element.task is not None
    variables = work.variables(instance.key)
    kind = element.task.type.string(variables, work.clock())
    headers = msgspec.json.encode(element.headers).decode()
    job = Job(NONE_KEY, kind, instance.key, _retries(work, instance, element), headers)
    return job_value(work, job)


def _retries(work: Work, instance: ElementInstance, element: Element) -> int:
    assert element.task is not None
    expression = element.task.retries
    if expression.feel is None:
        return int(expression.text)
    value = expression.typed(work.variables(instance.key), work.clock(), "NUMBER")
    number = int(expression.to_json(value))
    if abs(number) > MAX_RETRIES:
        message = (
            f"Expected result of the expression '{expression.text}' to be a number of retries, but it is too large"
        )
        raise not_extracted(message)
    return number


def job_value(work: Work, job: Job, **more: object) -> dict[str, object]:
    """Return what a record says of a job; `more` is what this record changes."""
    instance = work.state.tables.elements[job.element]
    return {
        **work.process_of(instance),
        "version": work.state.definition(instance).version,
        "type": job.type,
        "customHeaders": job.headers,
        "worker": job.worker,
        "retries": job.retries,
        "retryBackoff": 0,
        "recurringTime": job.recurring,
        "deadline": job.deadline,
        "errorMessage": job.error_message,
        "errorCode": job.error_code,
        "elementId": instance.element,
        "elementInstanceKey": instance.key,
        **more,
    }
