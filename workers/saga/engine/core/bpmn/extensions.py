"""What Zeebe's extension elements say of an element: mappings, task definition, headers, user task."""

import re
from collections.abc import Iterator

from lxml import etree

from ....feel import FeelSyntaxError
from ..expression import Expression
from ..model import Called, Loop, Mapping, Path, TaskDefinition, UserTask
from .findings import HINT, Findings
from .xml import BPMN, ZEEBE, children, extension, local_name

_TARGET = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*(\.[a-zA-Z_][a-zA-Z0-9_]*)*")
_RESERVED = frozenset({"null", "true", "false", "function", "if", "then", "else", "for", "between", "instance", "of"})
_HARMLESS = frozenset({"properties", "userTaskForm", "modelerTemplateIcon"})
"""Extensions that change nothing about the execution: notes for people and tools, and forms."""
_RESERVED_HEADERS = "io.camunda.zeebe:"
_UNSUPPORTED_BINDINGS = frozenset({"deployment", "versionTag"})


class Extensions:
    """Reads the extension elements of one flow element and notes what is wrong with them."""

    def __init__(self, element: etree._Element, findings: Findings, identity: str = "") -> None:
        """Read of `element`; errors go to `findings`, under its id or another."""
        self._element = element
        self._id = identity or element.get("id", "")
        self._findings = findings

    def check_known(self, *understood: str) -> None:
        """Note Zeebe's extensions that the engine does not understand here: ignoring one might change a run."""
        for found in self._element.iterfind(f"{BPMN}extensionElements/*"):
            if isinstance(found.tag, str) and found.tag.startswith(ZEEBE):
                name = local_name(found)
                if name not in _HARMLESS and name not in understood:
                    self._findings.add(
                        self._id, f"Extension elements 'zeebe:{name}' are currently not supported here. {HINT}"
                    )

    def expression(self, text: str, what: str, *, static: bool = True) -> Expression | None:
        """Compile a value; with `static` unset it has to be an expression. Return None where it is wrong."""
        where = f"{self._id} > {what}"
        if not static and not text.strip():
            self._findings.add(where, "Expected expression but not found.")
            return None
        if not static and not text.strip().startswith("="):
            self._findings.add(
                where,
                f"Expected expression but found static value '{text}'. An expression must start with '=' "
                f"(e.g. '={text}').",
            )
            return None
        try:
            return Expression.of(text)
        except FeelSyntaxError as error:
            self._findings.add(where, f"failed to parse expression '{text.strip()[1:]}': {error}")
            return None

    def inputs(self) -> list[Mapping]:
        """Return the input mappings; a static source is text, an empty one null."""
        return list(self._mappings("input", static=True))

    def outputs(self) -> list[Mapping]:
        """Return the output mappings."""
        return list(self._mappings("output", static=False))

    def _mappings(self, name: str, *, static: bool) -> Iterator[Mapping]:
        for mapping in self._element.iterfind(f"{BPMN}extensionElements/{ZEEBE}ioMapping/{ZEEBE}{name}"):
            target = self._target(mapping.get("target", ""), name)
            text = mapping.get("source", "")
            source = self.expression("=null" if static and not text else text, f"{name}Mapping", static=static)
            if source is not None and target is not None:
                yield Mapping(source, target)

    def _target(self, text: str, name: str) -> Path | None:
        path = tuple(text.strip().split("."))
        if _TARGET.fullmatch(text.strip()) and not _RESERVED.intersection(path):
            return path
        self._findings.add(
            f"{self._id} > {name}Mapping", f"Expected path expression '{text}' but it is not a path of variable names"
        )
        return None

    def headers(self) -> dict[str, str]:
        """Return the task headers."""
        headers = {}
        for header in self._element.iterfind(f"{BPMN}extensionElements/{ZEEBE}taskHeaders/{ZEEBE}header"):
            key = header.get("key", "")
            if not key:
                self._findings.add(f"{self._id} > taskHeaders", "Attribute 'key' must be present and not empty")
            elif key.startswith(_RESERVED_HEADERS):
                self._findings.add(
                    f"{self._id} > taskHeaders", f"Header '{key}' starts with the reserved '{_RESERVED_HEADERS}'"
                )
            else:
                headers[key] = header.get("value", "")
        return headers

    def task(self) -> TaskDefinition | None:
        """Return the job that the task makes."""
        found = self._element.findall(f"{BPMN}extensionElements/{ZEEBE}taskDefinition")
        if len(found) != 1:
            self._findings.add(self._id, "Must have exactly one 'zeebe:taskDefinition' extension element")
            return None
        where = f"{self._id} > taskDefinition"
        if not found[0].get("type", "").strip():
            self._findings.add(where, "Attribute 'type' must be present and not empty")
            return None
        kind = self.expression(found[0].get("type", ""), "taskDefinition")
        text = found[0].get("retries", "3")
        retries = self.expression(text, "taskDefinition")
        if retries is not None and retries.feel is None and not re.fullmatch(r"\s*-?\d{1,9}\s*", text):
            self._findings.add(where, f"Attribute 'retries' must be a whole number or an expression, but was '{text}'")
            return None
        return TaskDefinition(kind, retries) if kind and retries else None

    def called(self) -> Called | None:
        """Return the process that a call activity calls."""
        found = extension(self._element, "calledElement")
        where = f"{self._id} > calledElement"
        if found is None or not found.get("processId", "").strip():
            self._findings.add(where, "Attribute 'processId' must be present and not empty")
            return None
        if found.get("bindingType") in _UNSUPPORTED_BINDINGS:
            self._findings.unsupported(self._id, f"Called elements bound by '{found.get('bindingType')}'")
        process_id = self.expression(found.get("processId", ""), "calledElement")
        if process_id is None:
            return None
        return Called(
            process_id,
            found.get("propagateAllParentVariables", "true") != "false",
            found.get("propagateAllChildVariables", "true") != "false",
        )

    def user_task(self) -> UserTask | None:
        """Return what a Camunda user task says of itself."""
        if extension(self._element, "userTask") is None:
            self._findings.unsupported(
                self._id, "User tasks without the extension element 'zeebe:userTask' (job-based user tasks)"
            )
            return None
        return UserTask(
            form_id=self._form("formId"),
            external_form=self._form("externalReference"),
            assignee=self._attribute("assignmentDefinition", "assignee"),
            candidate_groups=self._candidates("candidateGroups"),
            candidate_users=self._candidates("candidateUsers"),
            due_date=self._attribute("taskSchedule", "dueDate"),
            follow_up_date=self._attribute("taskSchedule", "followUpDate"),
            priority=self._priority(),
        )

    def _form(self, attribute: str) -> Expression | None:
        form = extension(self._element, "formDefinition")
        if form is None:
            return None
        given = [name for name in ("formId", "formKey", "externalReference") if form.get(name, "").strip()]
        if len(given) != 1:
            self._findings.add(
                f"{self._id} > formDefinition",
                "Exactly one of the attributes 'formId, externalReference' must be present and not blank",
            )
        elif given == ["formKey"]:
            self._findings.unsupported(self._id, "Form definitions by 'formKey' in a Camunda user task")
        if form.get("bindingType") in _UNSUPPORTED_BINDINGS:
            self._findings.unsupported(self._id, f"Forms bound by '{form.get('bindingType')}'")
        return self._attribute("formDefinition", attribute)

    def _candidates(self, attribute: str) -> Expression | None:
        found = extension(self._element, "assignmentDefinition")
        text = "" if found is None else found.get(attribute, "")
        if text and not text.strip().startswith("=") and not all(part.strip() for part in text.split(",")):
            self._findings.add(
                f"{self._id} > assignmentDefinition",
                f"Attribute '{attribute}' must be a list of names with commas between them, but was '{text}'",
            )
        return self._attribute("assignmentDefinition", attribute)

    def _priority(self) -> Expression | None:
        priority = self._attribute("priorityDefinition", "priority")
        if priority is not None and priority.feel is None and not re.fullmatch(r"\d{1,2}|100", priority.text.strip()):
            self._findings.add(
                f"{self._id} > priorityDefinition",
                f"Attribute 'priority' must be a whole number from 0 to 100 or an expression, but was "
                f"'{priority.text}'",
            )
        return priority

    def _attribute(self, name: str, attribute: str) -> Expression | None:
        found = extension(self._element, name)
        text = "" if found is None else found.get(attribute, "")
        return self.expression(text, name) if text.strip() else None


def read_loop(activity: str, xml: etree._Element, findings: Findings) -> Loop | None:
    """Return what a multi-instance activity says of its instances."""
    found = extension(xml, "loopCharacteristics")
    if found is None or not found.get("inputCollection", "").strip():
        findings.add(activity, "Attribute 'inputCollection' must be present and not empty")
        return None
    has_output = bool(found.get("outputCollection", "").strip())
    if has_output != bool(found.get("outputElement", "").strip()):
        findings.add(activity, "'outputCollection' and 'outputElement' must be present both, or none of them")
    extensions = Extensions(xml, findings, activity)
    items = extensions.expression(found.get("inputCollection", ""), "inputCollection", static=False)
    collected = (
        extensions.expression(found.get("outputElement", ""), "outputElement", static=False) if has_output else None
    )
    if items is None:
        return None
    return Loop(items, found.get("inputElement", "").strip(), collected, found.get("outputCollection", "").strip())


def event_definitions(element: etree._Element) -> list[etree._Element]:
    """Return an event's definitions, such as its errorEventDefinition."""
    return [child for child in children(element) if local_name(child).endswith("EventDefinition")]
