import json
from typing import Any

import pytest

from tests.engine.core.bench import Bench
from tests.engine.drawing import draw, end, error_boundary, mapping, message, message_boundary, start, user_task

FORM = json.dumps({"id": "f", "components": []}).encode()


def one(extensions: str = "") -> bytes:
    return draw("p", "start > a > end", start=start(), a=user_task(extensions=extensions), end=end())


def task_of(bench: Bench) -> tuple[int, dict[str, Any]]:
    """Return the key and the last value of the user task that was changed last."""
    record = list(bench.events("USER_TASK"))[-1]
    return record.key, record.value


def test_a_task_says_who_may_do_it_and_until_when(bench: Bench) -> None:
    bench.deploy(FORM, name="f.form")
    bench.deploy(
        one(
            '<zeebe:formDefinition formId="f" />'
            '<zeebe:assignmentDefinition assignee="ann" candidateGroups="a, b" candidateUsers="=users" />'
            '<zeebe:taskSchedule dueDate="2030-01-01T00:00:00Z" followUpDate="=follow" />'
            '<zeebe:priorityDefinition priority="=7" />'
            '<zeebe:taskHeaders><zeebe:header key="k" value="v" /></zeebe:taskHeaders>'
        )
    )
    bench.create(users=["x", "y"], follow="2029-01-01T00:00:00Z")
    created, assigned = bench.events("USER_TASK")
    assert (created.intent, created.value["assignee"]) == ("CREATED", "")
    assert (assigned.intent, assigned.value["assignee"], assigned.value["action"]) == ("ASSIGNED", "ann", "")
    value = created.value
    assert (value["candidateGroups"], value["candidateUsers"]) == (["a", "b"], ["x", "y"])
    assert (value["dueDate"], value["followUpDate"]) == ("2030-01-01T00:00:00Z", "2029-01-01T00:00:00Z")
    assert (value["priority"], value["customHeaders"]) == (7, {"k": "v"})
    assert value["formKey"] == next(bench.events("FORM")).key
    assert value["elementInstanceKey"] == bench.key_of("a") != created.key
    assert list(bench.events("JOB")) == []


def test_a_task_of_which_nothing_is_said_has_defaults(bench: Bench) -> None:
    bench.deploy(one())
    bench.create()
    _, value = task_of(bench)
    assert (value["assignee"], value["candidateGroups"], value["priority"], value["formKey"]) == ("", [], 50, -1)


def test_a_task_is_completed_with_variables_and_needs_no_assignee(bench: Bench) -> None:
    bench.deploy(one(mapping({"x": "=1"}, {"o": "=r"})))
    instance = bench.create()
    key, _ = task_of(bench)
    bench.do("USER_TASK", "COMPLETE", key, variables='{"r": 2}', action="")
    assert bench.results == {instance: {"o": 2}}
    assert task_of(bench)[1]["action"] == "complete"
    for intent, value in (
        ("COMPLETE", {"variables": ""}),
        ("ASSIGN", {"assignee": "x"}),
        ("UPDATE", {"changeset": {}}),
    ):
        assert bench.refused("USER_TASK", intent, key, **value).code == "NOT_FOUND"


def test_the_refusals_of_an_unknown_task_say_assign_also_for_unassign(bench: Bench) -> None:
    for intent in ("ASSIGN", "UNASSIGN"):
        rejection = bench.refused("USER_TASK", intent, 4242, assignee="x")
        assert rejection.reason == "Expected to assign user task with key '4242', but no such user task was found"


def test_a_task_is_assigned_over_another_unless_that_is_not_wanted(bench: Bench) -> None:
    bench.deploy(one('<zeebe:assignmentDefinition assignee="ann" />'))
    bench.create()
    key, _ = task_of(bench)
    assert bench.refused("USER_TASK", "ASSIGN", key, assignee="bob", allowOverride=False).code == "INVALID_STATE"
    bench.do("USER_TASK", "ASSIGN", key, assignee="ann", allowOverride=False)
    bench.do("USER_TASK", "ASSIGN", key, assignee="bob", action="take")
    assert (task_of(bench)[1]["assignee"], task_of(bench)[1]["action"]) == ("bob", "take")
    bench.do("USER_TASK", "UNASSIGN", key)
    bench.do("USER_TASK", "UNASSIGN", key)
    assert task_of(bench)[1]["assignee"] == ""
    bench.do("USER_TASK", "ASSIGN", key, assignee="cat", allowOverride=False)


def test_a_task_is_changed_as_far_as_the_changeset_says(bench: Bench) -> None:
    bench.deploy(one('<zeebe:assignmentDefinition candidateGroups="a,b" />'))
    bench.create()
    key, _ = task_of(bench)
    bench.do("USER_TASK", "UPDATE", key, changeset={"dueDate": "2030-01-01T00:00:00Z", "priority": 100})
    value = task_of(bench)[1]
    assert (value["dueDate"], value["priority"], value["candidateGroups"]) == ("2030-01-01T00:00:00Z", 100, ["a", "b"])
    bench.do("USER_TASK", "UPDATE", key, changeset={"dueDate": "", "candidateGroups": []})
    value = task_of(bench)[1]
    assert (value["dueDate"], value["priority"], value["candidateGroups"]) == ("", 100, [])
    for changeset in ({"priority": 101}, {"priority": -1}, {"assignee": "x"}):
        assert bench.refused("USER_TASK", "UPDATE", key, changeset=changeset).code == "INVALID_ARGUMENT"


def test_a_missing_form_is_an_incident_until_it_is_deployed(bench: Bench) -> None:
    bench.deploy(one('<zeebe:formDefinition formId="f" />'))
    bench.create()
    assert bench.incident()["errorType"] == "FORM_NOT_FOUND"
    assert "'f'" in bench.incident()["errorMessage"]
    key = bench.deploy(FORM, name="f.form")["formMetadata"][0]["formKey"]
    bench.resolve()
    assert task_of(bench)[1]["formKey"] == key


def test_the_latest_form_is_taken_when_the_task_is_activated(bench: Bench) -> None:
    bench.deploy(FORM, name="f.form")
    bench.deploy(one('<zeebe:formDefinition formId="=form" />'))
    latest = bench.deploy(FORM + b" ", name="f.form")["formMetadata"][0]["formKey"]
    bench.create(form="f")
    assert task_of(bench)[1]["formKey"] == latest


@pytest.mark.parametrize(
    ("extension", "value"),
    [
        ('<zeebe:assignmentDefinition assignee="=v" />', 1),
        ('<zeebe:assignmentDefinition candidateGroups="=v" />', "a"),
        ('<zeebe:assignmentDefinition candidateGroups="=v" />', [1]),
        ('<zeebe:taskSchedule dueDate="=v" />', 5),
        ('<zeebe:priorityDefinition priority="=v" />', 101),
        ('<zeebe:priorityDefinition priority="=v" />', "7"),
        ('<zeebe:formDefinition formId="=v" />', None),
    ],
)
def test_a_value_of_the_wrong_type_is_an_incident(bench: Bench, extension: str, value: object) -> None:
    bench.deploy(one(extension))
    bench.create(v=value)
    assert bench.incident()["errorType"] == "EXTRACT_VALUE_ERROR"


def test_a_task_of_nobody_is_one_that_expressions_say_nothing_about(bench: Bench) -> None:
    bench.deploy(
        one('<zeebe:assignmentDefinition assignee="=v" candidateGroups="=v" /><zeebe:taskSchedule dueDate="=v" />')
    )
    bench.create()
    _, value = task_of(bench)
    assert (value["assignee"], value["candidateGroups"], value["dueDate"]) == ("", [], "")


@pytest.mark.parametrize("by", ["cancel", "message"])
def test_a_task_is_cancelled_with_its_element(bench: Bench, by: str) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a",
            message("m", '="1"'),
            start=start(),
            a=user_task(),
            b=message_boundary("a", "m"),
            c=error_boundary("a"),
        )
    )
    instance = bench.create()
    key, _ = task_of(bench)
    if by == "cancel":
        bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    else:
        bench.publish("m", "1")
    assert list(bench.events("USER_TASK"))[-1].intent == "CANCELED"
    assert bench.refused("USER_TASK", "COMPLETE", key, variables="").code == "NOT_FOUND"
