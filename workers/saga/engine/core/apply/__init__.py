"""What records do to the state. This is the only writer of it, in life and at recovery alike."""

from . import deployments, instances, jobs, messages, others, timers
from .registry import apply

__all__ = ["apply", "deployments", "instances", "jobs", "messages", "others", "timers"]
