"""The kinds of elements, one file each."""

from .behavior import Behavior
from .boundary_event import ErrorBoundaryEvent
from .compensation_event import CompensationEvent
from .event_subprocess import EventSubprocess, EventSubprocessStart
from .exclusive_gateway import ExclusiveGateway
from .process import ProcessInstance
from .service_task import ServiceTask
from .user_task import CamundaUserTask

BEHAVIORS: dict[tuple[str, str], Behavior] = {
    ("PROCESS", ""): ProcessInstance(),
    ("START_EVENT", ""): EventSubprocessStart(),
    ("END_EVENT", ""): Behavior(),
    ("END_EVENT", "COMPENSATION"): CompensationEvent(),
    ("INTERMEDIATE_THROW_EVENT", "COMPENSATION"): CompensationEvent(),
    ("EXCLUSIVE_GATEWAY", ""): ExclusiveGateway(),
    ("BOUNDARY_EVENT", "ERROR"): ErrorBoundaryEvent(),
    ("EVENT_SUB_PROCESS", ""): EventSubprocess(),
    ("SERVICE_TASK", ""): ServiceTask(),
    ("USER_TASK", ""): CamundaUserTask(),
}
"""By bpmnElementType and bpmnEventType; an empty event type stands for every other."""

__all__ = ["BEHAVIORS", "Behavior"]
