"""PublishMessage."""

from ..core import Command
from ..writer import Writer
from .proto import pb
from .validation import TENANT, check_tenants, milliseconds, refuse


async def publish(writer: Writer, request: pb.PublishMessageRequest) -> pb.PublishMessageResponse:
    """Publish a message, which starts or continues whatever waits for it."""
    check_tenants("PublishMessage", "PUBLISH", [request.tenantId])
    if not request.name:
        reason = "Expected to publish a message with name to be present, but it was blank"
        refuse("PUBLISH", reason)
    value = {
        "name": request.name,
        "correlationKey": request.correlationKey,
        "messageId": request.messageId,
        "timeToLive": milliseconds(request.timeToLive),
        "variables": request.variables,
    }
    response = await writer.send(Command("MESSAGE", "PUBLISH", value=value))
    return pb.PublishMessageResponse(key=response["messageKey"], tenantId=TENANT)
