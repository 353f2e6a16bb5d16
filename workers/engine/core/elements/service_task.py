"""Service tasks: a job for a worker."""

from .. import compensation, correlation, jobs, lifecycle, subscriptions
from ..entities import ElementInstance
from ..model import Element
from ..variables import apply_inputs
from ..work import Work
from .behavior import Behavior


class Activity(Behavior):
    """What a task of every kind does at its end: a handler tells the throw event that it is done."""

    def left(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Go on with the compensation that it was carried out for."""
        del element
        if instance.compensation != -1:
            compensation.handler_left(work, instance, done=instance.state == "COMPLETING")


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
        """Cancel the job; one that has thrown an error goes without a record of its own."""
        job = work.state.tables.jobs.get(work.state.job_of.get(instance.key, -1))
        if job is not None and job.state != "ERROR_THROWN":
            work.event("JOB", "CANCELED", job.key, jobs.job_value(work, job))
