"""The kinds of elements, one file each; importing them registers them."""

from . import boundary_event, compensation_event, event_subprocess, exclusive_gateway, process, service_task, user_task

__all__ = [
    "boundary_event",
    "compensation_event",
    "event_subprocess",
    "exclusive_gateway",
    "process",
    "service_task",
    "user_task",
]
