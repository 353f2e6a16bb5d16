"""Answers to a form: each kind of field takes what form-js takes, and refuses the rest by name and never by value."""

from typing import Any

import pytest

from saga.clients.failure import Failure
from saga.operations.tasks.answering import Answering
from tests.tasks.test_forms import form_of

NUMBER = {"type": "number", "key": "x"}
TEXT = {"type": "textfield", "key": "x"}
AREA = {"type": "textarea", "key": "x"}
CHECKBOX = {"type": "checkbox", "key": "x"}
VALUES = {"values": [{"label": "Keep", "value": "keep"}, {"label": "Two", "value": 2}, {"label": "No", "value": False}]}
RADIO = {"type": "radio", "key": "x", **VALUES}
SELECT = {"type": "select", "key": "x", **VALUES}


def limited(component: dict[str, Any], **validate: object) -> dict[str, Any]:
    return {**component, "validate": validate}


def answered(
    *components: dict[str, Any],
    variables: dict[str, Any] | None = None,
    given: dict[str, Any] | None = None,
    texts: dict[str, str] | None = None,
) -> dict[str, Any]:
    answering = Answering(form_of(*components), variables or {})
    answering.give(given or {}, texts or {})
    return answering.submit()


@pytest.mark.parametrize(
    ("component", "typed", "value"),
    [
        (TEXT, " as typed ", " as typed "),
        (AREA, "7", "7"),
        (limited(TEXT, minLength=2, maxLength=3, pattern="^[a-z]+$"), "abc", "abc"),
        (limited(TEXT, minLength=2, pattern="a"), "", ""),
        (NUMBER, "7", 7),
        (NUMBER, "-0.5", -0.5),
        (NUMBER, "", None),
        (NUMBER, "9007199254740993", 9007199254740993),
        (limited(NUMBER, min=1, max="2.5"), "2.5", 2.5),
        ({**NUMBER, "decimalDigits": 2, "increment": "0.05"}, "0.15", 0.15),
        ({**NUMBER, "decimalDigits": 0}, "1e300", 1e300),
        ({**NUMBER, "serializeToString": True}, "1.10", "1.10"),
        (CHECKBOX, "true", True),
        (CHECKBOX, "No", False),
        (limited(CHECKBOX, required=True), "yes", True),
        (RADIO, "keep", "keep"),
        (RADIO, "2", 2),
        (SELECT, "false", False),
        (SELECT, "", None),
    ],
)
def test_a_typed_answer_becomes_the_value_that_the_field_stands_for(
    component: dict[str, Any], typed: str, value: object
) -> None:
    result = answered(component, texts={"x": typed})["x"]
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("component", "typed", "wrong"),
    [
        (limited(TEXT, required=True), "", "an answer is required"),
        (limited(TEXT, minLength=5), "4242", "must have 5 characters or more"),
        (limited(AREA, maxLength=3), "4242", "must have 3 characters or less"),
        (limited(TEXT, pattern="^[a-z]+$"), "4242", r"must match ^[a-z]+$"),
        (NUMBER, "4242x", "must be a number"),
        (NUMBER, "NaN", "must be a number"),
        (NUMBER, "1e4242", "must be a number"),
        (limited(NUMBER, required=True), " ", "an answer is required"),
        (limited(NUMBER, min=5000), "4242", "must be 5000 or more"),
        (limited(NUMBER, max="0.5"), "4242", "must be 0.5 or less"),
        ({**NUMBER, "decimalDigits": 0}, "4242.5", "must have 0 decimal places at most"),
        ({**NUMBER, "increment": "0.5"}, "4242.25", "must be a multiple of 0.5"),
        ({**NUMBER, "serializeToString": True}, "4242x", "must be a number"),
        (CHECKBOX, "4242", "must be true or false"),
        (limited(CHECKBOX, required=True), "false", "must be true"),
        (RADIO, "4242", "must be one of keep, 2, false"),
        (SELECT, "Keep", "must be one of keep, 2, false"),
        (limited(SELECT, required=True), "", "an answer is required"),
    ],
)
def test_an_answer_that_is_not_valid_is_refused_by_name_and_not_repeated(
    component: dict[str, Any], typed: str, wrong: str
) -> None:
    with pytest.raises(Failure) as refused:
        answered(component, texts={"x": typed})
    assert str(refused.value) == f"The answer is not valid, and nothing was changed:\n  x: {wrong}"
    assert refused.value.status == 2


@pytest.mark.parametrize(
    ("component", "value"),
    [(TEXT, 1), (NUMBER, "1"), (NUMBER, True), (NUMBER, [1]), (CHECKBOX, 1), (RADIO, "2"), (RADIO, 0), (SELECT, {})],
)
def test_a_json_value_of_another_type_is_refused(component: dict[str, Any], value: object) -> None:
    with pytest.raises(Failure, match="x: must be "):
        answered(component, given={"x": value})


def test_json_values_are_taken_as_they_are() -> None:
    kinds: dict[str, dict[str, Any]] = {"a": TEXT, "b": NUMBER, "c": RADIO, "d": CHECKBOX}
    given = {"a": "text", "b": 1.5, "c": 2, "d": True}
    assert answered(*({**kind, "key": key} for key, kind in kinds.items()), given=given) == given


def test_all_that_is_wrong_is_said_at_once() -> None:
    components: list[dict[str, Any]] = [limited({**TEXT, "key": "a"}, required=True), {**NUMBER, "key": "b"}]
    with pytest.raises(Failure) as refused:
        answered(*components, texts={"b": "many", "c": "?"})
    assert "c: the form has no such field; it has a, b" in str(refused.value)
    assert "b: must be a number" in str(refused.value)


def test_a_required_field_that_nobody_answered_is_missing() -> None:
    with pytest.raises(Failure, match="a: an answer is required"):
        answered(limited({**TEXT, "key": "a"}, required=True), {**TEXT, "key": "b"}, texts={"b": "answered"})


def test_what_is_not_answered_is_its_variable_else_its_default_else_empty() -> None:
    components: list[dict[str, Any]] = [
        {**TEXT, "key": "variable", "defaultValue": "default"},
        {**TEXT, "key": "default", "defaultValue": "default"},
        {**TEXT, "key": "empty"},
        {**NUMBER, "key": "number"},
        {**CHECKBOX, "key": "checkbox"},
        {**RADIO, "key": "radio"},
        {**RADIO, "key": "no option"},
    ]
    variables = {"variable": "variable", "no option": "other", "not asked": 1}
    assert answered(*components, variables=variables) == {
        "variable": "variable",
        "default": "default",
        "empty": "",
        "number": None,
        "checkbox": False,
        "radio": None,
        "no option": None,
    }


HIDDEN = {**TEXT, "key": "why", "conditional": {"hide": '=decision = "keep"'}, "validate": {"required": True}}
DECISION = {
    "type": "radio",
    "key": "decision",
    "values": [{"value": "keep", "label": "Keep"}, {"value": "undo", "label": "Undo"}],
}


def test_a_hidden_field_is_neither_required_nor_sent() -> None:
    assert answered(HIDDEN, DECISION, texts={"decision": "keep"}) == {"decision": "keep"}


def test_a_field_is_shown_by_the_answers_and_required_then() -> None:
    with pytest.raises(Failure, match="why: an answer is required"):
        answered(HIDDEN, DECISION, texts={"decision": "undo"})
    assert answered(HIDDEN, DECISION, texts={"decision": "undo", "why": "broken"}) == {
        "why": "broken",
        "decision": "undo",
    }


def test_an_answer_to_a_field_that_the_other_answers_hide_is_refused() -> None:
    with pytest.raises(Failure, match="why: it is hidden or cannot be changed, by the other answers"):
        answered(HIDDEN, DECISION, texts={"decision": "keep", "why": "broken"})


@pytest.mark.parametrize("locked", [{"disabled": True}, {"readonly": True}, {"readonly": "=locked"}])
def test_a_field_that_cannot_be_changed_takes_no_answer(locked: dict[str, Any]) -> None:
    with pytest.raises(Failure, match="a: it is hidden or cannot be changed"):
        answered({**TEXT, "key": "a", **locked}, variables={"locked": True}, texts={"a": "new"})


def test_a_readonly_field_is_sent_as_it_is_and_a_disabled_one_is_not() -> None:
    components = [{**TEXT, "key": "read", "readonly": True}, {**TEXT, "key": "off", "disabled": True}]
    assert answered(*components, variables={"read": "r", "off": "o"}) == {"read": "r"}


def test_a_readonly_expression_that_is_not_true_leaves_the_field_open() -> None:
    assert answered({**TEXT, "key": "a", "readonly": "=locked"}, texts={"a": "new"}) == {"a": "new"}
