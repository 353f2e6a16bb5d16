"""The runtime that a step is written with; nothing in it knows of orders."""

from workers.kit.outcomes import Broken, Declined, Unavailable
from workers.kit.retry import Retry
from workers.kit.service import Service
from workers.kit.step import Job, Receipt, Step, Variables

__all__ = ["Broken", "Declined", "Job", "Receipt", "Retry", "Service", "Step", "Unavailable", "Variables"]
