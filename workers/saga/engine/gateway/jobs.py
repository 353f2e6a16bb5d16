"""What a worker says of a job, what a person changes of it, and ResolveIncident."""

from ..core import Command
from ..writer import Writer
from .proto import pb
from .validation import milliseconds


async def complete(writer: Writer, request: pb.CompleteJobRequest) -> pb.CompleteJobResponse:
    """Complete a job."""
    await writer.send(Command("JOB", "COMPLETE", request.jobKey, {"variables": request.variables}))
    return pb.CompleteJobResponse()


async def fail(writer: Writer, request: pb.FailJobRequest) -> pb.FailJobResponse:
    """Fail a job, to be retried or to become an incident."""
    value = {
        "retries": request.retries,
        "retryBackoff": milliseconds(request.retryBackOff),
        "errorMessage": request.errorMessage,
        "variables": request.variables,
    }
    await writer.send(Command("JOB", "FAIL", request.jobKey, value))
    return pb.FailJobResponse()


async def throw_error(writer: Writer, request: pb.ThrowErrorRequest) -> pb.ThrowErrorResponse:
    """Throw a BPMN error at a job's task."""
    value = {
        "errorCode": request.errorCode,
        "errorMessage": request.errorMessage,
        "variables": request.variables,
    }
    await writer.send(Command("JOB", "THROW_ERROR", request.jobKey, value))
    return pb.ThrowErrorResponse()


async def update_retries(writer: Writer, request: pb.UpdateJobRetriesRequest) -> pb.UpdateJobRetriesResponse:
    """Set a job's retries."""
    await writer.send(Command("JOB", "UPDATE_RETRIES", request.jobKey, {"retries": request.retries}))
    return pb.UpdateJobRetriesResponse()


async def update_timeout(writer: Writer, request: pb.UpdateJobTimeoutRequest) -> pb.UpdateJobTimeoutResponse:
    """Set an activated job's timeout, counted from now."""
    await writer.send(Command("JOB", "UPDATE_TIMEOUT", request.jobKey, {"timeout": milliseconds(request.timeout)}))
    return pb.UpdateJobTimeoutResponse()


async def resolve_incident(writer: Writer, request: pb.ResolveIncidentRequest) -> pb.ResolveIncidentResponse:
    """Try again what an incident stopped."""
    await writer.send(Command("INCIDENT", "RESOLVE", request.incidentKey))
    return pb.ResolveIncidentResponse()
