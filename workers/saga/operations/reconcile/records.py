"""What became of an instance and its elements: as the cluster's searches show it, and as the broker itself says.

The searches lag behind the broker, so what they do not show is no proof of anything; and what they show as active may
have been lost with the broker's disk. Where the two disagree for long, nobody knows.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import grpc
import stamina
from pyzeebe.proto.gateway_pb2 import ModifyProcessInstanceRequest, SetVariablesRequest

from saga.clients.failure import Failure
from saga.clients.instances import ElementInstance, Instances
from saga.kit.gateway.credentials import code_of
from saga.operations.reconcile.verdict import Element, Instance

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

UNKNOWN_AFTER = 900.0
"""Seconds for which the searches and the broker may disagree before an instance counts as unknown."""
_DEADLINE = 10.0
"""Seconds for one question to the broker."""
_SAYS_WHAT_IS_THERE = frozenset(
    {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION}
)
_STATES = {"ACTIVE": Element.ACTIVE, "COMPLETED": Element.COMPLETED, "TERMINATED": Element.TERMINATED}
"""What the v2 API calls the states of an element."""
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
    """Asks the cluster's searches, and the broker where these alone do not tell."""

    def __init__(
        self,
        instances: Instances,
        gateway: "GatewayAsyncStub",
        lost_at: datetime | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask `instances`, and the broker over `gateway`.

        Args:
            instances: What the searches show.
            gateway: The broker.
            lost_at: When the broker lost its data, as a person says: an instance that did something before, that the
                searches show as active and that the broker does not know, was lost.
            clock: Gives the seconds by which `UNKNOWN_AFTER` is measured.
        """
        self._instances = instances
        self._gateway = gateway
        self._lost_at = lost_at
        self._clock = clock
        self._disagree_since: dict[int, float] = {}
        """By instance; only for as long as the two disagree."""

    async def of(self, instance: int, made: datetime, saga_id: str, key: str | None) -> Story:
        """Return the story of an instance for which something was done for a saga at `made`.

        `key` is the variable that holds the id of the saga in that process; None where its process is not known.

        Raises:
            Failure: The cluster does not answer.
        """
        shown = await self._instances.get(instance)
        if shown is not None and made < shown.start_date - _SKEW:
            # A broker that was killed carries a command out again: the same instance, begun later. One that began anew
            # gives the key away once more, and ours was another instance.
            whose = await self._instances.variable(instance, key) if key else None
            if whose is None:  # The searches may not show it yet.
                return Story(self._unknown_in_the_end(instance), {})
            if whose != saga_id:
                return Story(Instance.UNKNOWN, {})
        if shown is not None and not (shown.has_ended or shown.is_alive):
            # A state of a later version: it may still go on, so nothing is said of its elements either.
            return Story(self._unknown_in_the_end(instance), {})
        elements = _states([] if shown is None else await self._instances.elements(instance))
        if shown is not None and shown.has_ended:
            self._disagree_since.pop(instance, None)
            return Story(Instance(shown.state.lower()), elements)
        stands_still = shown is not None and Element.ACTIVE not in elements.values()
        return Story(await self._open(instance, made, is_shown=shown is not None, stands_still=stands_still), elements)

    async def _open(self, instance: int, made: datetime, *, is_shown: bool, stands_still: bool) -> Instance:
        """Say what an instance is of which no end is shown; asks the broker where that looks wrong."""
        was_lost = self._lost_at is not None and made < self._lost_at
        is_young = datetime.now(UTC) - made < timedelta(seconds=UNKNOWN_AFTER)
        if is_young and not was_lost and not stands_still:
            return Instance.ACTIVE
        state = await self._ask_broker(instance)
        if state is not None:
            self._disagree_since.pop(instance, None)
            return state
        if was_lost and is_shown:
            return Instance.LOST
        return self._unknown_in_the_end(instance)

    def _unknown_in_the_end(self, instance: int) -> Instance:
        now = self._clock()
        since = self._disagree_since.setdefault(instance, now)
        return Instance.UNKNOWN if now - since > UNKNOWN_AFTER else Instance.ACTIVE

    async def _ask_broker(self, instance: int) -> Instance | None:
        """Return what the broker knows of an instance by asking for nothing, in two ways; None where it has none.

        One that is ending takes no variables. It is ending for ever where it was cancelled while a compensation handler
        was at work (Zeebe 8.6.0): all its elements are terminated, and it is still shown as active.
        """
        nothing = SetVariablesRequest(elementInstanceKey=instance, variables="{}", local=True)
        nowhere = ModifyProcessInstanceRequest(
            processInstanceKey=instance,
            activateInstructions=[ModifyProcessInstanceRequest.ActivateInstruction(elementId="-")],
        )
        refusal = await _refusal(lambda: self._gateway.SetVariables(nothing, timeout=_DEADLINE))
        if refusal in {None, grpc.StatusCode.FAILED_PRECONDITION}:  # It is there, and takes none now: it is suspended.
            return Instance.ACTIVE
        refusal = await _refusal(lambda: self._gateway.ModifyProcessInstance(nowhere, timeout=_DEADLINE))
        return None if refusal is grpc.StatusCode.NOT_FOUND else Instance.TERMINATED


def _states(elements: Sequence[ElementInstance]) -> dict[int, Element]:
    """Return what became of each element instance, by its key.

    One that was terminated and activated anew, as by a modification, is what its follower is: the effect is the same,
    and the follower counts on it.
    """
    last = {each.element_id: each for each in elements}  # They come in the order of their keys.
    followed = {each.key: last[each.element_id] if each.state == "TERMINATED" else each for each in elements}
    return {key: _STATES.get(each.state, Element.UNKNOWN) for key, each in followed.items()}


def _is_busy(error: Exception) -> bool:
    return isinstance(error, grpc.aio.AioRpcError) and error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def _refusal(call: Callable[[], Awaitable[object]]) -> grpc.StatusCode | None:
    """Return how the broker refuses a command that asks for what is not there; None where it takes it.

    Raises:
        Failure: It refuses it for another reason.
    """
    try:
        async for attempt in stamina.retry_context(on=_is_busy, attempts=None, timeout=_DEADLINE, wait_initial=0.05):
            with attempt:
                await call()
    except grpc.aio.AioRpcError as error:
        code = code_of(error)
        if code in _SAYS_WHAT_IS_THERE:
            return code
        message = f"The broker does not say what became of an instance: {code.name}."
        raise Failure(message) from error
    return None
