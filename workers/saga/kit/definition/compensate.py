"""How a step that is active is told to compensate: its worker runs the undo in place of the do, and leaves by an error.

The engine compensates what has completed, and nothing that is active. A step that is active may have had its effect as
well; so whoever brings an instance onto its compensation path has the engine activate the step anew, with this variable
in the new element's own scope.
"""

from pydantic import BaseModel, ConfigDict, ValidationError

from saga.kit.definition.job import Job
from saga.kit.definition.variables import KEEPS

VARIABLE = "compensate"
"""The variable that tells a step."""


class Compensate(BaseModel):
    """What a step is told."""

    model_config = ConfigDict(frozen=True, strict=True)

    instance: str
    """The key of its process instance: a variable that came with the order cannot name it, and tells nothing."""
    code: str
    """The BPMN error that the step leaves by, once it is undone."""
    message: str
    """Why, for people."""

    def as_variables(self) -> str:
        """Return the JSON object that tells it."""
        return _Variables(compensate=self).model_dump_json()

    @classmethod
    def of(cls, job: Job) -> "Compensate | None":
        """Return what the job's step is told, None where it is to be carried out as ever."""
        if VARIABLE not in job.variables:  # Nearly always; then nothing is parsed.
            return None
        try:
            told = _Variables.model_validate_json(job.variables).compensate
        except ValidationError:
            return None
        return told if told.instance == str(job.process_instance_key) else None


class _Variables(BaseModel):
    model_config = ConfigDict(cache_strings=KEEPS)

    compensate: Compensate
