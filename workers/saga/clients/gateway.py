"""The engine's gateway: its channel, and what needs no more than pyzeebe's stubs.

pyzeebe's client is in `zeebe`: no part of the stack needs it, and its import takes longer than all of these.
"""

from typing import TYPE_CHECKING

import grpc
from pydantic import BaseModel

from saga.clients.addresses import Addresses
from saga.clients.failure import Failure, bad_input
from saga.kit.gateway.connection import open_channel
from saga.kit.gateway.proto import pb

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

MESSAGE_TTL_MS = 3_600_000
"""Milliseconds for which the broker keeps a message that starts a saga, over its restarts too, and refuses a second."""
_DEADLINE = 10.0
"""Seconds for one question to the broker."""


class Ended(BaseModel, extra="ignore"):
    """How an instance ended, as its end event says."""

    class Refusal(BaseModel, extra="ignore"):
        """Which refusal led there."""

        code: str
        message: str

    outcome: str | None = None
    refusal: Refusal | None = None

    def __str__(self) -> str:
        """Say it in a line."""
        why = f" ({self.refusal.code}: {self.refusal.message})" if self.refusal else ""
        return f"{self.outcome or 'completed'}{why}"


def channel(addresses: Addresses) -> grpc.aio.Channel:
    """Open the channel to the engine.

    Raises:
        Failure: The environment names an address or a certificate that cannot be used.
    """
    try:
        return open_channel(addresses.engine)
    except OSError as error:
        message = f"ZEEBE_CA_CERTIFICATE_PATH: {addresses.engine.ca_certificate} cannot be read ({error.strerror})."
        raise bad_input(message) from error
    except ValueError as error:
        message = f"The environment does not say how to reach the engine (ZEEBE_ADDRESS is host:port): {error}"
        raise bad_input(message) from error


NOTHING_STARTED = "nothing was started"


class NotDeployed(Failure):
    """The broker does not have a process."""

    def __init__(self, process: str, consequence: str = NOTHING_STARTED) -> None:
        """Name the process by its BPMN id, and what comes of it."""
        super().__init__(f"The process {process} is not deployed, so {consequence}. Run `saga deploy`.")


async def require_deployed(gateway: "GatewayAsyncStub", process: str, consequence: str = NOTHING_STARTED) -> None:
    """Check that the broker has a process: a message published before it starts nothing, not even later.

    Call it before each message, for a broker that lost its data has lost the process too. The broker is asked to start
    the process at an element that no process has.

    Raises:
        NotDeployed: It does not have it; the message says what comes of it, the `consequence`.
        grpc.aio.AioRpcError: The broker does not say.
    """
    nowhere = pb.ProcessInstanceCreationStartInstruction(elementId="-")
    request = pb.CreateProcessInstanceRequest(bpmnProcessId=process, version=-1, startInstructions=[nowhere])
    try:
        await gateway.CreateProcessInstance(request, timeout=_DEADLINE)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            raise NotDeployed(process, consequence) from None
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
            raise
