"""The order to compensate an active step: its worker runs the undo in place of the do, and throws a BPMN error.

The engine compensates completed activities, and no active ones. An active step may have had its effect as well. So
`saga cancel` makes the engine activate the step again, with this variable in the new element's own scope.
"""

from pydantic import BaseModel, ConfigDict, ValidationError

from saga.kit.definition.job import Job
from saga.kit.definition.variables import KEEPS

VARIABLE = "compensate"
"""The name of the variable."""


class Compensate(BaseModel):
    """The order to run the undo in place of the do."""

    model_config = ConfigDict(frozen=True, strict=True)

    instance: str
    """The key of its process instance: a variable of a customer's order cannot know it, and is ignored."""
    code: str
    """The BPMN error that the step throws once it is undone."""
    message: str
    """Why, for people."""

    def as_variables(self) -> str:
        """Return the order as a JSON object."""
        return _Variables(compensate=self).model_dump_json()

    @classmethod
    def of(cls, job: Job) -> "Compensate | None":
        """Return the order for the job's step; None if the do has to run."""
        if VARIABLE not in job.variables:  # Nearly always; nothing is parsed then.
            return None
        try:
            order = _Variables.model_validate_json(job.variables).compensate
        except ValidationError:
            return None
        return order if order.instance == str(job.process_instance_key) else None


class _Variables(BaseModel):
    model_config = ConfigDict(cache_strings=KEEPS)

    compensate: Compensate
