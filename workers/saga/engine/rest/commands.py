"""Routes that tell the engine to do something with instances, elements, incidents and messages."""

from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from . import fields
from .call import Call, answer, empty
from .encoding import embedded, text_of
from .fields import TENANT
from .kinds import BOOLEAN, INTEGER, KEY, TEXT
from .problems import Problem, invalid_argument

CREATION = {
    "processDefinitionId": TEXT.parse,
    "processDefinitionVersion": INTEGER.parse,
    "processDefinitionKey": KEY.parse,
    "variables": fields.of_object,
    "tenantId": fields.tenant,
    "operationReference": fields.ignored,
    "startInstructions": fields.objects({"elementId": TEXT.parse}),
    "runtimeInstructions": fields.unsupported,
    "awaitCompletion": BOOLEAN.parse,
    "fetchVariables": fields.texts,
    "requestTimeout": INTEGER.parse,
    "tags": fields.unsupported,
    "businessId": fields.unsupported,
}


async def create_instance(call: Call) -> Response:
    """Create an instance; with `awaitCompletion` wait for its end and return its variables."""
    given = await call.fields(CREATION)
    by = [name for name in ("processDefinitionId", "processDefinitionKey") if name in given]
    if len(by) != 1:
        rule = "Only one of" if by else "At least one of"
        message = f"{rule} [processDefinitionId, processDefinitionKey] is {'allowed' if by else 'required'}."
        raise invalid_argument(message)
    for each in given.get("startInstructions", ()):
        fields.required(each, "elementId")
    by_key = "processDefinitionKey" in given
    value = {
        "bpmnProcessId": given.get("processDefinitionId", ""),
        "version": -1 if by_key else given.get("processDefinitionVersion", -1),
        "processDefinitionKey": given.get("processDefinitionKey", -1),
        "variables": text_of(given.get("variables")),
        "startInstructions": given.get("startInstructions", []),
        "fetchVariables": given.get("fetchVariables", []),
    }
    if given.get("awaitCompletion"):
        created = await call.engine.writer.create_with_result(value, given.get("requestTimeout", 0))
    else:
        created = await call.send("PROCESS_INSTANCE_CREATION", "CREATE", value)
    return answer(
        {
            "processDefinitionId": created["bpmnProcessId"],
            "processDefinitionVersion": created["version"],
            "processDefinitionKey": str(created["processDefinitionKey"]),
            "processInstanceKey": str(created["processInstanceKey"]),
            "tenantId": TENANT,
            "variables": embedded(created.get("variables", "{}")),
            "tags": [],
            "businessId": None,
        }
    )


REFERENCE = {"operationReference": fields.ignored}


async def cancel_instance(call: Call) -> Response:
    """Cancel an instance."""
    await call.fields(REFERENCE, needed=False)
    return await call.command("PROCESS_INSTANCE", "CANCEL")


async def resolve_incident(call: Call) -> Response:
    """Resolve an incident."""
    await call.fields(REFERENCE, needed=False)
    return await call.command("INCIDENT", "RESOLVE")


_VARIABLE = {"variables": fields.of_object, "scopeId": TEXT.parse}
_ACTIVATE = {
    "elementId": TEXT.parse,
    "ancestorElementInstanceKey": KEY.parse,
    "variableInstructions": fields.objects(_VARIABLE),
}
MODIFICATION = {
    "operationReference": fields.ignored,
    "activateInstructions": fields.objects(_ACTIVATE),
    "terminateInstructions": fields.objects({"elementInstanceKey": KEY.parse, "elementId": fields.unsupported}),
    "moveInstructions": fields.unsupported,
}


async def modify_instance(call: Call) -> Response:
    """Activate and terminate elements of an instance, all or none."""
    given = await call.fields(MODIFICATION)
    activate = [_activation(each) for each in given.get("activateInstructions", ())]
    terminate = given.get("terminateInstructions", [])
    for each in terminate:
        fields.required(each, "elementInstanceKey")
    instructions = {"activateInstructions": activate, "terminateInstructions": terminate}
    return await call.command("PROCESS_INSTANCE_MODIFICATION", "MODIFY", instructions)


def _activation(given: dict[str, Any]) -> dict[str, Any]:
    fields.required(given, "elementId")
    return {
        "elementId": given["elementId"],
        "ancestorScopeKey": given.get("ancestorElementInstanceKey", -1),
        "variableInstructions": [
            {"elementId": each.get("scopeId", ""), "variables": text_of(each.get("variables"))}
            for each in given.get("variableInstructions", ())
        ],
    }


SET_VARIABLES = {"variables": fields.of_object, "local": BOOLEAN.parse, "operationReference": fields.ignored}


async def set_variables(call: Call) -> Response:
    """Set variables of an element or instance: in exactly that scope, or where the names are."""
    key = call.key
    given = fields.read(SET_VARIABLES, body := await call.json())
    if body.get("variables") is None:
        message = "No variables provided."
        raise invalid_argument(message)
    semantics = "LOCAL" if given.get("local") else "PROPAGATE"
    value = {"scopeKey": key, "variables": text_of(given.get("variables")), "updateSemantics": semantics}
    await call.send("VARIABLE_DOCUMENT", "UPDATE", value)
    return empty()


MESSAGE = {
    "name": TEXT.parse,
    "correlationKey": TEXT.parse,
    "variables": fields.of_object,
    "tenantId": fields.tenant,
}
PUBLICATION = {
    **MESSAGE,
    "timeToLive": INTEGER.parse,
    "messageId": TEXT.parse,
    "businessId": fields.unsupported,
}


async def publish_message(call: Call) -> Response:
    """Publish a message."""
    given = await call.fields(PUBLICATION)
    buffered = {"messageId": given.get("messageId", ""), "timeToLive": given.get("timeToLive", 0)}
    published = await call.send("MESSAGE", "PUBLISH", {**_message(given), **buffered})
    return answer({"tenantId": TENANT, "messageKey": str(published["messageKey"])})


async def correlate_message(call: Call) -> Response:
    """Correlate a message at once, and name the first process instance that took it."""
    given = await call.fields(MESSAGE)
    correlated = await call.send("MESSAGE_CORRELATION", "CORRELATE", _message(given))
    keys = {name: str(correlated[name]) for name in ("messageKey", "processInstanceKey")}
    return answer({"tenantId": TENANT, **keys})


def _message(given: dict[str, Any]) -> dict[str, Any]:
    if not given.get("name"):
        message = "No messageName provided."
        raise invalid_argument(message)
    return {
        "name": given["name"],
        "correlationKey": given.get("correlationKey", ""),
        "variables": text_of(given.get("variables")),
    }


async def broadcast_signal(_call: Call) -> Response:
    """Refuse to broadcast a signal.

    Raises:
        Problem: Always.
    """
    detail = "The embedded engine does not serve signals: it deploys no element that waits for one. See docs/engine.md."
    raise Problem(HTTPStatus.NOT_IMPLEMENTED, "UNIMPLEMENTED", detail)
