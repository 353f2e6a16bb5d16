"""What the broker is asked for: the jobs of one task type, in its two ways."""

from dataclasses import dataclass

from pyzeebe.proto.gateway_pb2 import ActivateJobsRequest, StreamActivatedJobsRequest


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One task type, and how its jobs are wanted."""

    task_type: str
    worker: str
    lease: float
    """Seconds."""
    fetch: list[str]
    """Names of the variables that come with a job."""

    def stream(self) -> StreamActivatedJobsRequest:
        """Ask for every job as soon as it is there."""
        return StreamActivatedJobsRequest(
            type=self.task_type, worker=self.worker, timeout=round(self.lease * 1000), fetchVariable=self.fetch
        )

    def poll(self, most: int, wait: float) -> ActivateJobsRequest:
        """Ask for up to `most` jobs, and to wait for `wait` seconds for the first of them."""
        return ActivateJobsRequest(
            type=self.task_type,
            worker=self.worker,
            timeout=round(self.lease * 1000),
            maxJobsToActivate=most,
            fetchVariable=self.fetch,
            requestTimeout=round(wait * 1000) or -1,  # -1: answer at once (gateway.proto)
        )
