"""Follow an instance to its end."""

import asyncio
import time
from collections.abc import Sequence

from saga.clients.failure import Failure
from saga.clients.instances import ElementInstance, Instances, ProcessInstance, search_delays
from saga.operations.compensate.view import diagram_of, ending, known
from saga.operations.incidents.incident_types import without_values

_TIMEOUT = 60.0
"""Seconds that an instance has."""
_PAUSE = 0.5
"""Seconds between two looks at most."""


async def follow(instances: Instances, key: int, left: Sequence[ElementInstance]) -> None:
    """Wait until an instance has ended on its compensation path.

    Args:
        instances: Shows it.
        key: The instance's.
        left: What it was taken away from; the cluster may show that as active for another second, with its incident.

    Raises:
        Failure: It does not come to its end, and the message says what it is busy with; or it has ended otherwise.
    """
    end = time.monotonic() + _TIMEOUT
    gone = {element.key for element in left}
    for pause in search_delays(_PAUSE):
        instance = await known(instances, key)
        if instance.has_ended:
            await _check_path(instances, instance)
            return
        elements = await instances.elements(key)
        busy = [element for element in elements if element.state == "ACTIVE" and element.key not in gone]
        # A cluster shows that there is an incident a moment before it can be found.
        stops = {element.incident_key for element in busy if element.incident_key}
        incidents = await _incidents(instances, key, stops) if stops else []
        if incidents or time.monotonic() > end:
            raise Failure(_busy(key, busy, incidents))
        await asyncio.sleep(pause)


async def _check_path(instances: Instances, instance: ProcessInstance) -> None:
    elements = await instances.path(instance.key) if instance.state == "COMPLETED" else []
    path = (await diagram_of(instances, instance)).path
    if path is None or all(element.element_id != path.subprocess for element in elements):
        how = await ending(instances, instance)
        message = f"Instance {instance.key} has ended, and not on its compensation path: {how}."
        raise Failure(message)


async def _incidents(instances: Instances, key: int, stops: set[int]) -> list[str]:
    pages = instances.incidents(instance=key)
    return [without_values(each.type, each.message) async for page in pages for each in page if each.key in stops]


def _busy(key: int, elements: Sequence[ElementInstance], incidents: Sequence[str]) -> str:
    names = ", ".join(element.name for element in elements) or "nothing that the cluster shows"
    lines = "".join(f"\n  incident: {each}" for each in incidents)
    return (
        f"Instance {key} is on its way to be undone and has not ended yet; it is busy with {names}. The engine goes on "
        f"by itself; an incident, once its cause is mended, is retried by `saga incidents retry` or by saying this "
        f"again.{lines}"
    )
