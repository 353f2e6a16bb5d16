"""The runtime that a step is written with; nothing in it knows of orders."""

from saga.kit.definition.job import Job
from saga.kit.definition.outcomes import Broken, Declined, Unavailable
from saga.kit.definition.retry import Retry
from saga.kit.definition.service import BlockingService, Service
from saga.kit.definition.step import Step
from saga.kit.definition.variables import Receipt, Variables

__all__ = [
    "BlockingService",
    "Broken",
    "Declined",
    "Job",
    "Receipt",
    "Retry",
    "Service",
    "Step",
    "Unavailable",
    "Variables",
]
