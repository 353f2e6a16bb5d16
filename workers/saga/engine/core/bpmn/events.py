"""What events wait for and what they throw: messages, errors, compensation."""

from lxml import etree

from ..model import Element, Message, Timer
from ..times import check_static
from .extensions import Extensions, event_definitions
from .findings import Findings
from .xml import BPMN, ZEEBE, local_name

_SUPPORTED = {
    "START_EVENT": ("message", "error", "timer"),
    "END_EVENT": ("compensate", "error", "terminate", "message"),
    "INTERMEDIATE_CATCH_EVENT": ("message", "timer"),
    "INTERMEDIATE_THROW_EVENT": ("compensate", "message"),
    "BOUNDARY_EVENT": ("error", "compensate", "message", "timer"),
}
_EVENT_TYPES = {
    "message": "MESSAGE",
    "error": "ERROR",
    "compensate": "COMPENSATION",
    "timer": "TIMER",
    "terminate": "TERMINATE",
}
_TIMERS = {"timeDuration": "duration", "timeDate": "date", "timeCycle": "cycle"}


class EventReader:
    """Reads the event definitions of a document's events."""

    def __init__(self, document: etree._Element, findings: Findings) -> None:
        """Messages and errors are defined beside the processes, in `document`."""
        self._messages = {message.get("id"): message for message in document.findall(f"{BPMN}message")}
        self._started: set[str] = set()
        """Ids of messages that a start event of the process refers to."""
        self._errors = {error.get("id"): error for error in document.findall(f"{BPMN}error")}
        self._findings = findings

    def read(self, element: Element, xml: etree._Element) -> None:
        """Set what the event is about; does nothing to what is not an event."""
        if element.type == "RECEIVE_TASK":
            self._read_message(element, xml)
        if element.type not in _SUPPORTED:
            return
        definitions = event_definitions(xml)
        if not definitions:
            self._read_none(element)
        elif len(definitions) > 1:
            several = "Start event can't have more than one type"
            exactly = "Must have exactly one event definition"
            self._findings.add(element.id, several if element.type == "START_EVENT" else exactly)
        else:
            self._read_definition(element, xml, definitions[0])

    def _read_none(self, element: Element) -> None:
        element.event_type = "NONE"
        if element.type in {"BOUNDARY_EVENT", "INTERMEDIATE_CATCH_EVENT"}:
            self._findings.add(element.id, "Must have exactly one event definition")

    def _read_definition(self, element: Element, xml: etree._Element, definition: etree._Element) -> None:
        kind = local_name(definition).removesuffix("EventDefinition")
        if kind not in _SUPPORTED[element.type]:
            name = local_name(xml)
            self._findings.unsupported(
                element.id, f"Elements of type '{name[:1].upper()}{name[1:]}' with a definition of type '{kind}'"
            )
            return
        element.event_type = _EVENT_TYPES[kind]
        if kind == "message" and element.task is None:
            self._read_message(element, definition)
        elif kind == "error":
            self._read_error(element, definition)
        elif kind == "timer":
            self._read_timer(element, definition)
        elif kind == "compensate":
            element.compensates = definition.get("activityRef", "")
            if definition.get("waitForCompletion") == "false":
                message = (
                    "A compensation intermediate throwing event waitForCompletion attribute must be true or not present"
                )
                self._findings.add(element.id, message)

    def _read_message(self, element: Element, definition: etree._Element) -> None:
        reference = definition.get("messageRef", "")
        xml = self._messages.get(reference)
        if xml is None:
            self._findings.add(element.id, "Must reference a message")
            return
        if not xml.get("name", "").strip():
            self._findings.add(xml.get("id", element.id), "Name must be present and not empty")
            return
        extensions = Extensions(xml, self._findings)
        name = extensions.expression(xml.get("name", ""), "name")
        key = None
        if element.type == "START_EVENT" and element.scope is not None and element.scope.type == "PROCESS":
            if reference in self._started:
                self._findings.add(element.id, "A message cannot be referred by more than one start event")
            self._started.add(reference)
        else:
            subscription = xml.find(f"{BPMN}extensionElements/{ZEEBE}subscription")
            if subscription is None:
                self._findings.add(xml.get("id", ""), "Must have exactly one zeebe:subscription extension element")
            elif not subscription.get("correlationKey", "").strip():
                self._findings.add(xml.get("id", ""), "Attribute 'correlationKey' must be present and not empty")
            else:
                key = extensions.expression(subscription.get("correlationKey", ""), "subscription", static=False)
        if name is not None:
            element.message = Message(name, key)

    def _read_timer(self, element: Element, definition: etree._Element) -> None:
        found = [(kind, xml) for kind in _TIMERS if (xml := definition.find(f"{BPMN}{kind}")) is not None]
        if len(found) != 1:
            self._findings.add(element.id, "Must be exactly one type of timer: timeDuration, timeDate or timeCycle")
            return
        kind, xml = found[0]
        text = xml.text or ""
        value = Extensions(definition, self._findings, element.id).expression(text, kind)
        if value is None:
            return
        if value.feel is None:
            try:
                check_static(_TIMERS[kind], text)
            except ValueError as error:
                self._findings.add(element.id, f"Invalid timer {_TIMERS[kind]} expression ({error})")
        element.timer = Timer(_TIMERS[kind], value)

    def _read_error(self, element: Element, definition: etree._Element) -> None:
        reference = definition.get("errorRef")
        error = self._errors.get(reference)
        if reference and error is None:
            self._findings.add(element.id, "Must reference an error")
            return
        code = "" if error is None else error.get("errorCode", "")
        if element.type == "END_EVENT":
            if not code.strip():
                self._findings.add(element.id, "ErrorCode must be present and not empty")
                return
            element.thrown_error = Extensions(definition, self._findings, element.id).expression(code, "errorCode")
            return
        if code.strip().startswith("="):
            self._findings.add(element.id, "The errorCode of the error catch event is not allowed to be an expression")
        # An error without a code is as good as none: it stands for every error.
        element.error_code = code or None
