"""Task headers that the modeler sets: the retry policy of the task, in place of the step's own.

docs/runtime.md lists them with their values.
"""

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Annotated

import structlog
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic_core import from_json

from saga.kit.definition.retry import Retry

_log = structlog.get_logger(__name__)


class HeaderError(ValueError):
    """A task header is not valid; the message names it and says why."""


_Seconds = Annotated[
    timedelta | Annotated[float, Field(allow_inf_nan=False)],
    AfterValidator(lambda value: value.total_seconds() if isinstance(value, timedelta) else value),
    Field(ge=0, le=86_400),
]


class _RetryHeaders(BaseModel, extra="ignore"):
    retries: Annotated[int, Field(ge=1, alias="retryCount")] = 0
    base: Annotated[_Seconds, Field(alias="retryBackoff")] = 0.0
    factor: Annotated[float, Field(ge=1, le=10, alias="retryBackoffFactor")] = 0.0
    cap: Annotated[_Seconds, Field(alias="retryBackoffCap")] = 0.0
    jitter: Annotated[float, Field(ge=0, le=1, alias="retryJitter")] = 0.0


_NAMES = [str(field.alias) for field in _RetryHeaders.model_fields.values()]


def _misspelt(headers: str) -> list[str]:
    """Return the headers that look like ours and are not, for example `RetryCount`."""
    return [name for name in from_json(headers) if name.lower().startswith("retr") and name not in _NAMES]


@lru_cache(maxsize=1024)  # an entry for each task of each version of a process
def retry_of(step: Retry, headers: str) -> Retry:
    """Return the step's policy with the changes that `headers`, a JSON object, contains.

    Raises:
        HeaderError: One of them is not valid.
    """
    try:
        set_by_modeler = _RetryHeaders.model_validate_json(headers)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        wrong = "; ".join(f"{(each['loc'] or ('the document',))[0]}: {each['msg']}" for each in errors)
        message = f"The task's headers are not as they must be ({wrong}). Mend them in the diagram and deploy it."
        raise HeaderError(message) from None
    for name in _misspelt(headers):
        _log.warning("task header not known", header=name, known=_NAMES)
    return replace(step, **set_by_modeler.model_dump(exclude_unset=True))
