"""The runtime that a step is written with; nothing in it knows of any process."""

from saga.kit.definition.job import Job
from saga.kit.definition.outcomes import Broken, Declined, Unavailable
from saga.kit.definition.retry import Retry
from saga.kit.definition.saga import SagaDefinition, Sample, Timeline
from saga.kit.definition.service import BlockingService, Service
from saga.kit.definition.step import Step
from saga.kit.definition.variables import Receipt, SagaId, Variables

__all__ = [
    "BlockingService",
    "Broken",
    "Declined",
    "Job",
    "Receipt",
    "Retry",
    "SagaDefinition",
    "SagaId",
    "Sample",
    "Service",
    "Step",
    "Timeline",
    "Unavailable",
    "Variables",
]
