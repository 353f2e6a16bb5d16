"""What became of an instance and its elements, as the engine's records have it: Operate's, and the broker's own.

Operate lags behind the broker, so what it does not show is no proof of anything; and what it shows as active may have
been lost with the broker's disk. Where the two disagree for long, nobody knows.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import grpc
from pyzeebe.proto.gateway_pb2 import ModifyProcessInstanceRequest

from workers.failure import Failure
from workers.operate import Operate
from workers.reconcile.verdict import Element, Instance

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

PATIENCE = 900.0
"""Seconds for which Operate and the broker may disagree before an instance counts as unknown."""
_DEADLINE = 10.0
"""Seconds for one question to the broker."""
_SKEW = timedelta(minutes=1)
"""How far the clocks of a database and of the engine may be apart."""


@dataclass(frozen=True, slots=True)
class Story:
    """One instance and its elements."""

    instance: Instance
    elements: dict[int, Element]
    """By the key of the element instance."""

    def element(self, key: int) -> Element:
        """Return what became of one element."""
        return self.elements.get(key, Element.UNKNOWN)


class Records:
    """Asks Operate, and the broker where Operate alone does not tell."""

    def __init__(self, operate: Operate, gateway: "GatewayAsyncStub", lost_at: datetime | None = None) -> None:
        """Ask a session with Operate, and the broker.

        `lost_at` is when the broker lost its data, as a person says: an instance that did something before, that
        Operate shows as active and that the broker does not know, was lost.
        """
        self._operate = operate
        self._gateway = gateway
        self._lost_at = lost_at
        self._disagree_since: dict[int, float] = {}
        """By instance; only for as long as Operate and the broker disagree."""

    async def of(self, instance: int, made: datetime) -> Story:
        """Return the story of an instance for which something was done at `made`.

        Raises:
            Failure: Operate or the broker does not answer.
        """
        shown = await self._operate.instance(instance)
        if shown is not None and made < shown.start_date - _SKEW:
            # A broker that began anew gave the key away once more: ours was another instance.
            return Story(Instance.UNKNOWN, {})
        if shown is None or shown.state == "ACTIVE":
            missing = await self._missing(instance, made, is_shown=shown is not None)
            if missing is not None:
                return Story(missing, {})
        if shown is None:
            return Story(Instance.ACTIVE, {})  # Operate has yet to hear of it.
        nodes = await self._operate.flow_nodes(instance)
        return Story(Instance(shown.state.lower()), {node.key: Element(node.state.lower()) for node in nodes})

    async def _missing(self, instance: int, made: datetime, *, is_shown: bool) -> Instance | None:
        """Say what an instance is of which Operate does not know the end; None while the broker may have it."""
        was_lost = self._lost_at is not None and made < self._lost_at
        is_young = datetime.now(UTC) - made < timedelta(seconds=PATIENCE)
        if (is_young and not was_lost) or await self._is_known(instance):
            self._disagree_since.pop(instance, None)
            return None
        if was_lost and is_shown:
            return Instance.LOST
        since = self._disagree_since.setdefault(instance, time.monotonic())
        return Instance.UNKNOWN if time.monotonic() - since > PATIENCE else None

    async def _is_known(self, instance: int) -> bool:
        """Ask the broker for something impossible: it says whether the instance or the element is missing."""
        nowhere = ModifyProcessInstanceRequest.ActivateInstruction(elementId="-")
        request = ModifyProcessInstanceRequest(processInstanceKey=instance, activateInstructions=[nowhere])
        try:
            await self._gateway.ModifyProcessInstance(request, timeout=_DEADLINE)
        except grpc.aio.AioRpcError as error:
            match error.code():
                case grpc.StatusCode.NOT_FOUND:
                    return False
                case grpc.StatusCode.INVALID_ARGUMENT:
                    return True
            message = f"The broker does not say whether it has instance {instance}: {error.code().name}."
            raise Failure(message) from error
        return True
