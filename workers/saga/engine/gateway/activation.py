"""ActivateJobs and StreamActivatedJobs: how jobs reach the workers."""

from typing import TYPE_CHECKING, Any

import grpc

from ..errors import Busy
from ..writer import JobRequest, Writer
from .proto import pb
from .status import shorten
from .validation import TENANT, check_jobs, check_max_jobs, check_tenants, milliseconds

if TYPE_CHECKING:
    # Generic for type checkers only.
    Context = grpc.aio.ServicerContext[Any, Any]
_FIELDS = tuple(field.name for field in pb.ActivatedJob.DESCRIPTOR.fields if field.name != "tenantId")


async def activate(writer: Writer, request: pb.ActivateJobsRequest, context: "Context") -> None:
    """Send one batch of jobs, or none where the time runs out."""
    check_tenants("ActivateJobs", "ACTIVATE", request.tenantIds)
    check_jobs("activate job batch", request.type, request.timeout)
    check_max_jobs(request.maxJobsToActivate)
    wanted = JobRequest(request.type, request.worker, milliseconds(request.timeout), tuple(request.fetchVariable))
    try:
        jobs, _ = await writer.activate(wanted, request.maxJobsToActivate, request.requestTimeout)
    except Busy:
        text = (
            f"Expected to activate jobs of type '{request.type}', but no jobs available and at least one broker "
            "returned 'RESOURCE_EXHAUSTED'. Please try again later."
        )
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, shorten(text))
    if not jobs:
        return
    try:
        # A message for each job first would cost twice as much.
        await context.write(pb.ActivateJobsResponse(jobs=map(_fields, jobs)))  # type: ignore[arg-type]  # dicts will do
    except BaseException:
        writer.give_back(jobs)
        raise


async def stream(writer: Writer, request: pb.StreamActivatedJobsRequest, context: "Context") -> None:
    """Send jobs as they become activatable, until the client ends it."""
    check_tenants("StreamActivatedJobs", "ACTIVATE", request.tenantIds)
    check_jobs("stream jobs", request.type, request.timeout)
    wanted = JobRequest(request.type, request.worker, milliseconds(request.timeout), tuple(request.fetchVariable))
    jobs = writer.open_stream(wanted)
    try:
        # A client sees that its stream is open before the first job comes.
        await context.send_initial_metadata(())
        async for job in jobs:
            await context.write(pb.ActivatedJob(**_fields(job)))
    finally:
        writer.close_stream(jobs)


def _fields(job: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an ActivatedJob."""
    fields = {name: job[name] for name in _FIELDS}
    fields["tenantId"] = TENANT
    return fields
