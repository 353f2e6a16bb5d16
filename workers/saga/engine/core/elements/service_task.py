"""Service tasks and all other elements that are a job for a worker."""

from .. import correlation, jobs, lifecycle, subscriptions
from ..behaviors import behaves_as
from ..entities import ElementInstance
from ..model import Element
from ..variables import apply_inputs
from ..work import Work
from .activity import Activity


@behaves_as("SERVICE_TASK")
@behaves_as("SEND_TASK")
@behaves_as("SCRIPT_TASK")
@behaves_as("BUSINESS_RULE_TASK")
@behaves_as("INTERMEDIATE_THROW_EVENT", "MESSAGE")
@behaves_as("END_EVENT", "MESSAGE")
class ServiceTask(Activity):
    """Creates a job and completes with it."""

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Carry out the input mappings, open what it waits for, and create the job."""
        apply_inputs(work, instance, element.inputs)
        subscriptions.open_all(work, instance, element)
        job = jobs.prepare(work, instance, element)
        lifecycle.activated(work, instance)
        work.event("JOB", "CREATED", work.key(), job)
        correlation.correlate_buffered(work, instance)

    def terminate(self, work: Work, instance: ElementInstance) -> None:
        """Cancel the job; one whose error was caught goes without a record of its own."""
        job = work.state.tables.jobs.get(work.state.job_of.get(instance.key, -1))
        if job is not None and (job.state != "ERROR_THROWN" or instance.key in work.state.incidents_of):
            work.event("JOB", "CANCELED", job.key, jobs.job_value(work, job))
