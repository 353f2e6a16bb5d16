"""Instances that end for ever, as they do on Zeebe 8.6.0: cancelled while one of their compensation handlers is active.

All their elements are terminated and they take no command any more, but they are still shown as active. The embedded
engine ends them; two proxies, one for each of its APIs, show them as that broker does.
"""

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import grpc
from pyzeebe.proto import gateway_pb2 as pb

from order_fulfillment.names import PROCESS
from saga.clients.instances import Instances
from saga.common.project import BPMN
from saga.engine.access import Receive
from saga.engine.access import Send as SendMessage
from tests.asgi import Message
from tests.runtime.faulty import FaultyGateway, Send
from tests.searches import RestProxy

if TYPE_CHECKING:
    from tests.runtime.faulty import Context

HANDLERS = frozenset(
    each.attrib["id"]
    for each in ET.parse(BPMN / f"{PROCESS}.bpmn").iter()  # noqa: S314 - ours
    if each.attrib.get("isForCompensation") == "true"
)


class EndlessGateway(FaultyGateway):
    """Takes a cancellation, and from then on knows of the instance only that it is ending."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.endless: set[int] = set()
        self.instances: Instances
        """Shows which elements are active; set before anybody cancels."""

    async def answer(self, method: str, request: bytes, send: Send, context: "Context") -> bytes:
        if method == "CancelProcessInstance":
            instance = pb.CancelProcessInstanceRequest.FromString(request).processInstanceKey
            elements = await self.instances.elements(instance)
            if any(each.element_id in HANDLERS and each.state == "ACTIVE" for each in elements):
                self.endless.add(instance)
        elif method == "SetVariables":
            instance = pb.SetVariablesRequest.FromString(request).elementInstanceKey
            if instance in self.endless:
                await context.abort(grpc.StatusCode.NOT_FOUND, f"no element with key {instance} is active")
        elif method == "ModifyProcessInstance":
            instance = pb.ModifyProcessInstanceRequest.FromString(request).processInstanceKey
            if instance in self.endless:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"nothing can be activated in {instance}")
        return await send(request)


class EndlessSearches(RestProxy):
    """Shows these instances as active."""

    def __init__(self, target: str, endless: set[int]) -> None:
        super().__init__(target)
        self._endless = endless

    async def answer(self, scope: Message, receive: Receive, send: SendMessage) -> None:
        if not scope["path"].startswith("/v2/process-instances/"):
            await super().answer(scope, receive, send)
            return
        reply = await self.reply(scope, receive)
        body = reply.content
        if reply.is_success and body:
            answer = reply.json()
            for each in answer.get("items", [answer]):
                self._reopen(each)
            body = json.dumps(answer).encode()
        headers = [(b"content-type", reply.headers.get("content-type", "").encode())]
        await send({"type": "http.response.start", "status": reply.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _reopen(self, instance: dict[str, Any]) -> None:
        if int(instance.get("processInstanceKey", 0)) in self._endless:
            instance.update(state="ACTIVE", endDate=None)
