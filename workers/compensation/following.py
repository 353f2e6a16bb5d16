"""Follow an instance to its end."""

import asyncio
import time
from collections.abc import Sequence

from workers.compensation.view import diagram_of, ending, known
from workers.failure import Failure
from workers.incidents.kinds import without_values
from workers.operate import FlowNode, Operate, ProcessInstance

_PATIENCE = 60.0
"""Seconds that an instance has."""
_PAUSE = 0.5
"""Seconds between two looks."""


async def follow(operate: Operate, key: int, left: Sequence[FlowNode]) -> None:
    """Wait until an instance has ended on its compensation path.

    Args:
        operate: Shows it.
        key: The instance's.
        left: What it was taken away from; Operate may show that as active for another second, with its incident.

    Raises:
        Failure: It does not come to its end, and the message says what it is busy with; or it has ended otherwise.
    """
    end = time.monotonic() + _PATIENCE
    gone = {node.key for node in left}
    while True:
        instance = await known(operate, key)
        if instance.state != "ACTIVE":
            await _check_path(operate, instance)
            return
        nodes = await operate.flow_nodes(key)
        busy = [node for node in nodes if node.state == "ACTIVE" and node.key not in gone]
        # Operate shows that there is an incident a moment before it can be found.
        stops = {node.incident_key for node in busy if node.incident_key}
        incidents = await _incidents(operate, key, stops) if stops else []
        if incidents or time.monotonic() > end:
            raise Failure(_busy(key, busy, incidents))
        await asyncio.sleep(_PAUSE)


async def _check_path(operate: Operate, instance: ProcessInstance) -> None:
    nodes = await operate.path(instance.key) if instance.state == "COMPLETED" else []
    path = (await diagram_of(operate, instance)).path
    if path is None or all(node.flow_node_id != path.subprocess for node in nodes):
        how = await ending(operate, instance)
        message = f"Instance {instance.key} has ended, and not on its compensation path: {how}."
        raise Failure(message)


async def _incidents(operate: Operate, key: int, stops: set[int]) -> list[str]:
    found = await operate.find("incidents", processInstanceKey=key, state="ACTIVE")
    return [without_values(each["type"], each["message"]) for each in found if each["key"] in stops]


def _busy(key: int, nodes: Sequence[FlowNode], incidents: Sequence[str]) -> str:
    names = ", ".join(node.name for node in nodes) or "nothing that Operate shows"
    lines = "".join(f"\n  incident: {each}" for each in incidents)
    return (
        f"Instance {key} is on its way to be undone and has not ended yet; it is busy with {names}. The engine goes on "
        f"by itself; an incident, once its cause is mended, is retried in Operate or by saying this again.{lines}"
    )
