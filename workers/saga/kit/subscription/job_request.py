"""The requests for the jobs of one task type: a stream and a poll."""

from dataclasses import dataclass

from pyzeebe.proto.gateway_pb2 import ActivateJobsRequest, StreamActivatedJobsRequest


@dataclass(frozen=True, slots=True)
class JobRequest:
    """The parameters of one task type's requests."""

    task_type: str
    worker: str
    lease: float
    """Seconds."""
    fetch: list[str]
    """The names of the variables that Zeebe sends with a job."""

    def stream(self) -> StreamActivatedJobsRequest:
        """Return the request for a stream of jobs."""
        return StreamActivatedJobsRequest(
            type=self.task_type, worker=self.worker, timeout=round(self.lease * 1000), fetchVariable=self.fetch
        )

    def poll(self, most: int, wait: float) -> ActivateJobsRequest:
        """Return the request for up to `most` jobs, which waits up to `wait` seconds for the first one."""
        return ActivateJobsRequest(
            type=self.task_type,
            worker=self.worker,
            timeout=round(self.lease * 1000),
            maxJobsToActivate=most,
            fetchVariable=self.fetch,
            requestTimeout=round(wait * 1000) or -1,  # -1: respond at once (gateway.proto)
        )
