"""Camunda user tasks as records tell them."""

from typing import Any

from .entities import ElementInstance, UserTask
from .expression import Expression
from .model import Element
from .records import NONE_KEY, Fault, not_extracted
from .work import Work

DEFAULT_PRIORITY = 50
MAX_PRIORITY = 100


def prepare(work: Work, instance: ElementInstance, element: Element) -> tuple[dict[str, Any], str]:
    """Return the task that an element makes, without its assignee, and the assignee ("" for none).

    Raises:
        Fault: EXTRACT_VALUE_ERROR or FORM_NOT_FOUND.
    """
    definition = element.user_task
    assert definition is not None
    task = UserTask(
        key=NONE_KEY,
        element=instance.key,
        assignee="",
        candidate_groups=_names(work, instance, definition.candidate_groups),
        candidate_users=_names(work, instance, definition.candidate_users),
        due_date=_text(work, instance, definition.due_date, "DATE_TIME"),
        follow_up_date=_text(work, instance, definition.follow_up_date, "DATE_TIME"),
        form=_form(work, instance, definition.form_id),
        external_form=_text(work, instance, definition.external_form),
        priority=_priority(work, instance, definition.priority),
        headers=element.headers,
    )
    return task_value(work, task), _text(work, instance, definition.assignee)


def _text(work: Work, instance: ElementInstance, expression: Expression | None, *more: str) -> str:
    if expression is None:
        return ""
    if expression.feel is None:
        return expression.text
    value = expression.typed(work.variables(instance.key), work.clock(), "STRING", "NULL", *more)
    return str(expression.to_json(value) or "")


def _names(work: Work, instance: ElementInstance, expression: Expression | None) -> list[str]:
    if expression is None:
        return []
    if expression.feel is None:
        return [name.strip() for name in expression.text.split(",")]
    value = expression.typed(work.variables(instance.key), work.clock(), "ARRAY", "NULL")
    names = expression.to_json(value) or []
    if not all(isinstance(name, str) for name in names):
        message = f"Expected result of the expression '{expression.text}' to be an 'ARRAY' of texts"
        raise not_extracted(message)
    return list(names)


def _priority(work: Work, instance: ElementInstance, expression: Expression | None) -> int:
    if expression is None:
        return DEFAULT_PRIORITY
    text: Any = expression.text
    if expression.feel is not None:
        text = expression.to_json(expression.typed(work.variables(instance.key), work.clock(), "NUMBER"))
    try:
        priority = int(text)
    except ValueError:
        priority = -1
    if not 0 <= priority <= MAX_PRIORITY:
        message = f"Expected priority to be an integer from 0 to {MAX_PRIORITY}, but '{expression.text}' is not"
        raise not_extracted(message)
    return priority


def _form(work: Work, instance: ElementInstance, expression: Expression | None) -> int:
    if expression is None:
        return NONE_KEY
    form_id = expression.string(work.variables(instance.key), work.clock())
    versions = work.state.form_versions.get(form_id)
    if not versions:
        message = (
            f"Expected to find a form with id '{form_id}', but no form with this id is found, at least a form with "
            "this id should be available. To resolve the Incident please deploy a form with the same id"
        )
        error_type = "FORM_NOT_FOUND"
        raise Fault(error_type, message)
    return versions[-1]


def task_value(work: Work, task: UserTask, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - what a record changes
    """Return what a record says of a user task; `more` is what this record changes."""
    instance = work.state.tables.elements[task.element]
    return {
        **work.process_of(instance),
        "version": work.state.definition(instance).version,
        "elementId": instance.element,
        "elementInstanceKey": instance.key,
        "assignee": task.assignee,
        "candidateGroups": task.candidate_groups,
        "candidateUsers": task.candidate_users,
        "dueDate": task.due_date,
        "followUpDate": task.follow_up_date,
        "formKey": task.form,
        "externalFormReference": task.external_form,
        "priority": task.priority,
        "customHeaders": task.headers,
        **more,
    }
