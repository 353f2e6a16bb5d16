"""The runtime that a step is written with; nothing in it knows of orders."""

from workers.kit.job import Job
from workers.kit.outcomes import Broken, Declined, Unavailable
from workers.kit.retry import Retry
from workers.kit.service import BlockingService, Service
from workers.kit.step import Step
from workers.kit.variables import Receipt, Variables

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
