"""The kinds of elements, one file each; importing them registers them."""

from . import (
    activity,
    boundary_event,
    call_activity,
    catch_event,
    compensation_event,
    ending_event,
    event_subprocess,
    exclusive_gateway,
    multi_instance,
    passing,
    process,
    service_task,
    subprocess,
    user_task,
)

__all__ = [
    "activity",
    "boundary_event",
    "call_activity",
    "catch_event",
    "compensation_event",
    "ending_event",
    "event_subprocess",
    "exclusive_gateway",
    "multi_instance",
    "passing",
    "process",
    "service_task",
    "subprocess",
    "user_task",
]
