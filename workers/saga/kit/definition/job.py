"""One job, as Zeebe described it when it activated the job."""

from dataclasses import dataclass, field
from typing import Self

from saga.kit.gateway.proto import pb


@dataclass(frozen=True, slots=True)
class Job:
    """One activated job."""

    key: int
    task_type: str
    process_instance_key: int
    element_instance_key: int
    bpmn_process_id: str
    element_id: str
    retries: int
    """How many tries are left, including this one."""
    deadline: float
    """When the lease of its activation ends, in seconds since the epoch, by the broker's clock."""
    headers: str = field(default="{}", repr=False)
    """The task headers that the modeler set, a JSON object."""
    variables: str = field(default="{}", repr=False)
    """The variables that the step reads, a JSON object; they are the customer's, and nothing prints them."""

    @property
    def origin(self) -> str:
        """The process instance and the element instance, as sent to participants."""
        return f"{self.process_instance_key}/{self.element_instance_key}"

    @classmethod
    def of(cls, job: pb.ActivatedJob) -> Self:
        """Read a job from its gRPC message."""
        return cls(
            job.key,
            job.type,
            job.processInstanceKey,
            job.elementInstanceKey,
            job.bpmnProcessId,
            job.elementId,
            job.retries,
            job.deadline / 1000,
            job.customHeaders,
            job.variables,
        )


def about(job: Job) -> dict[str, object]:
    """Return the fields that name a job in a log line."""
    return {
        "task_type": job.task_type,
        "job": job.key,
        "instance": job.process_instance_key,
        "element": job.element_id,
    }
