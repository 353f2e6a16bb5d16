"""Creating, cancelling and modifying process instances, and setting their variables."""

from typing import Any

from ..core import Command
from ..writer import Writer
from .proto import pb
from .validation import TENANT, check_tenants, refuse


async def create(writer: Writer, request: pb.CreateProcessInstanceRequest) -> pb.CreateProcessInstanceResponse:
    """Start an instance."""
    command = Command("PROCESS_INSTANCE_CREATION", "CREATE", value=_creation("CreateProcessInstance", request))
    return pb.CreateProcessInstanceResponse(**await writer.send(command), tenantId=TENANT)


async def create_with_result(
    writer: Writer, request: pb.CreateProcessInstanceWithResultRequest
) -> pb.CreateProcessInstanceWithResultResponse:
    """Start an instance and wait for its end."""
    value = _creation("CreateProcessInstanceWithResult", request.request)
    value["fetchVariables"] = list(request.fetchVariables)
    response = await writer.create_with_result(value, request.requestTimeout)
    return pb.CreateProcessInstanceWithResultResponse(**response, tenantId=TENANT)


async def cancel(writer: Writer, request: pb.CancelProcessInstanceRequest) -> pb.CancelProcessInstanceResponse:
    """Terminate an instance."""
    await writer.send(Command("PROCESS_INSTANCE", "CANCEL", request.processInstanceKey))
    return pb.CancelProcessInstanceResponse()


async def modify(writer: Writer, request: pb.ModifyProcessInstanceRequest) -> pb.ModifyProcessInstanceResponse:
    """Activate and terminate elements of an instance, all or none."""
    value = {
        "activateInstructions": [_activation(each) for each in request.activateInstructions],
        "terminateInstructions": [
            {"elementInstanceKey": each.elementInstanceKey} for each in request.terminateInstructions
        ],
    }
    await writer.send(Command("PROCESS_INSTANCE_MODIFICATION", "MODIFY", request.processInstanceKey, value))
    return pb.ModifyProcessInstanceResponse()


async def set_variables(writer: Writer, request: pb.SetVariablesRequest) -> pb.SetVariablesResponse:
    """Set variables of an instance or an element."""
    value = {
        "scopeKey": request.elementInstanceKey,
        "variables": request.variables,
        "updateSemantics": "LOCAL" if request.local else "PROPAGATE",
    }
    response = await writer.send(Command("VARIABLE_DOCUMENT", "UPDATE", value=value))
    return pb.SetVariablesResponse(key=response["key"])


def _creation(rpc: str, request: pb.CreateProcessInstanceRequest) -> dict[str, Any]:
    check_tenants(rpc, "CREATE", [request.tenantId])
    if not request.bpmnProcessId and request.processDefinitionKey <= 0:
        reason = "Expected to create an instance by bpmnProcessId or by processDefinitionKey, but neither was given"
        refuse("CREATE", reason)
    return {
        "bpmnProcessId": request.bpmnProcessId,
        "version": request.version,
        # 0 is what a client sends that leaves it out.
        "processDefinitionKey": request.processDefinitionKey or -1,
        "variables": request.variables,
        "startInstructions": [{"elementId": each.elementId} for each in request.startInstructions],
    }


def _activation(instruction: pb.ModifyProcessInstanceRequest.ActivateInstruction) -> dict[str, Any]:
    return {
        "elementId": instruction.elementId,
        "ancestorScopeKey": instruction.ancestorElementInstanceKey or -1,
        "variableInstructions": [
            {"elementId": each.scopeId, "variables": each.variables} for each in instruction.variableInstructions
        ],
    }
