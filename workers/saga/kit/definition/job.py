"""One job as everything in the runtime sees it: what the broker said when it gave the job out."""

from dataclasses import dataclass, field
from typing import Self

from saga.kit.gateway.proto import pb


@dataclass(frozen=True, slots=True)
class Job:
    """The broker's facts about the job at hand."""

    key: int
    task_type: str
    process_instance_key: int
    element_instance_key: int
    bpmn_process_id: str
    element_id: str
    retries: int
    """How many tries the engine still grants, this one included."""
    deadline: float
    """When the lease that the job came with ends, in seconds since the epoch, by the broker's clock."""
    headers: str = field(default="{}", repr=False)
    """The task headers that the modeler set, a JSON object."""
    variables: str = field(default="{}", repr=False)
    """The variables that the step asked for, a JSON object; they are the customer's, and nothing prints them."""

    @property
    def origin(self) -> str:
        """What participants are told of it: for which element of which process instance they are asked."""
        return f"{self.process_instance_key}/{self.element_instance_key}"

    @classmethod
    def of(cls, job: pb.ActivatedJob) -> Self:
        """Read a job as it came over the wire."""
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
    """Name a job in a log line."""
    return {
        "task_type": job.task_type,
        "job": job.key,
        "instance": job.process_instance_key,
        "element": job.element_id,
    }
