"""The gateway's calls by name, and what all of them share: unknown fields, refusals, and calls that are not served."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc

from ..writer import Writer
from . import activation, deployments, instances, jobs, messages
from .proto import GatewayServicer, pb
from .status import REFUSALS, shorten, status
from .topology import topology
from .unknown import unknown_field

if TYPE_CHECKING:
    # Generic for type checkers only.
    Context = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[[Any, "Context"], Awaitable[Any]]

_CALLS: dict[str, Callable[[Writer, Any], Awaitable[Any]]] = {
    "CancelProcessInstance": instances.cancel,
    "CompleteJob": jobs.complete,
    "CreateProcessInstance": instances.create,
    "CreateProcessInstanceWithResult": instances.create_with_result,
    "DeleteResource": deployments.delete_resource,
    "DeployProcess": deployments.deploy_process,
    "DeployResource": deployments.deploy_resource,
    "FailJob": jobs.fail,
    "ModifyProcessInstance": instances.modify,
    "PublishMessage": messages.publish,
    "ResolveIncident": jobs.resolve_incident,
    "SetVariables": instances.set_variables,
    "ThrowError": jobs.throw_error,
    "UpdateJobRetries": jobs.update_retries,
    "UpdateJobTimeout": jobs.update_timeout,
}
_STREAMS: dict[str, Callable[[Writer, Any, "Context"], Awaitable[None]]] = {
    "ActivateJobs": activation.activate,
    "StreamActivatedJobs": activation.stream,
}
SERVICE = pb.DESCRIPTOR.services_by_name["Gateway"]
"""The gateway's service, with every call that the protocol has."""


def servicer(writer: Writer, port: int) -> GatewayServicer:
    """Return the gateway's servicer on `port`."""
    handlers: dict[str, Handler] = {name: unimplemented(name) for name in SERVICE.methods_by_name}
    for name, call in {**_CALLS, "Topology": topology(port)}.items():
        handlers[name] = _unary(writer, call)
    for name, stream in _STREAMS.items():
        handlers[name] = _stream(writer, stream)
    made = type("Gateway", (GatewayServicer,), {name: staticmethod(each) for name, each in handlers.items()})
    gateway: GatewayServicer = made()
    return gateway


def unimplemented(name: str) -> Handler:
    """Return what answers a call that is not served."""

    async def handler(_request: object, context: "Context") -> None:
        text = f"The embedded engine does not serve {name}; docs/engine.md lists what it does."
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, text)

    return handler


def _unary(writer: Writer, call: Callable[[Writer, Any], Awaitable[Any]]) -> Handler:
    async def handler(request: Any, context: "Context") -> Any:  # noqa: ANN401 - each call has its own messages
        field = unknown_field(request)
        if field is not None:
            await _refuse_unknown(field, context)
        try:
            return await call(writer, request)
        except REFUSALS as refusal:
            await context.abort(*status(refusal))

    return handler


def _stream(writer: Writer, call: Callable[[Writer, Any, "Context"], Awaitable[None]]) -> Handler:
    async def handler(request: Any, context: "Context") -> None:  # noqa: ANN401 - each call has its own messages
        field = unknown_field(request)
        if field is not None:
            await _refuse_unknown(field, context)
        try:
            await call(writer, request, context)
        except REFUSALS as refusal:
            await context.abort(*status(refusal))

    return handler


async def _refuse_unknown(field: str, context: "Context") -> None:
    text = f"The embedded engine does not know the field {field} (message and number). Leave it out."
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, shorten(text))
