"""What clients can ask for, a module a subject; each command ends in a response or a rejection."""

from . import clock, deployments, incidents, instances, jobs, messages, modification, timers, user_tasks, variables
from .registry import handler_of

__all__ = [
    "clock",
    "deployments",
    "handler_of",
    "incidents",
    "instances",
    "jobs",
    "messages",
    "modification",
    "timers",
    "user_tasks",
    "variables",
]
