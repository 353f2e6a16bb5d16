"""Forms: what is understood is read as form-js means it, and what is not is named."""

import json
from typing import Any

import pytest

from bpmn.render import BPMN
from saga.clients.failure import Failure
from saga.operations.tasks.forms import Form, Kind, Option, Text


def form_of(*components: dict[str, Any]) -> Form:
    return Form.parse(json.dumps({"type": "default", "components": components}))


def test_the_form_of_settle_by_hand_is_understood() -> None:
    form = Form.parse((BPMN / "settle-by-hand.form").read_text(encoding="utf-8"))
    assert form.foreign == ()
    assert isinstance(form.parts[0], Text)
    decision, comment = form.questions.values()
    assert (decision.kind, decision.key, decision.is_required) == (Kind.RADIO, "decision", True)
    assert [option.value for option in decision.options] == ["keep", "undo"]
    assert (comment.kind, comment.key, comment.is_required, comment.longest) == (Kind.TEXTAREA, "comment", False, 2000)


def test_an_option_without_a_label_is_called_by_its_value() -> None:
    form = form_of({"type": "select", "key": "size", "values": [{"value": 2}, {"value": "x", "label": "Extra"}]})
    assert form.questions["size"].options == (Option(2, "2"), Option("x", "Extra"))


def test_limits_that_modeler_saves_as_text_are_numbers() -> None:
    form = form_of({"type": "number", "key": "n", "increment": "0.5", "validate": {"min": "1", "max": ""}})
    question = form.questions["n"]
    assert (str(question.minimum), question.maximum, str(question.step)) == ("1", None, "0.5")


def test_what_has_no_meaning_for_an_answer_is_left_aside() -> None:
    form = form_of(
        {"type": "textfield", "key": "a", "layout": {"row": "r", "columns": None}, "appearance": {"prefixAdorner": "€"}}
    )
    assert (form.foreign, list(form.questions)) == ((), ["a"])


@pytest.mark.parametrize(
    ("component", "named"),
    [
        ({"type": "taglist", "key": "x", "values": []}, "taglist"),
        ({"type": "group", "components": []}, "group"),
        ({"key": "x"}, "a part without a type"),
        ({"type": "radio", "key": "x", "valuesKey": "sizes"}, "radio whose options are not fixed"),
        ({"type": "select", "key": "x", "valuesExpression": "=sizes"}, "select whose options are not fixed"),
        ({"type": "textfield", "key": "order.id"}, "textfield without a plain key"),
        ({"type": "textfield"}, "textfield without a plain key"),
        ({"type": "textfield", "key": "x", "validate": {"validationType": "email"}}, "textfield that takes email only"),
        ({"type": "textfield", "key": "x", "validate": {"pattern": "(?<n>a)"}}, "a pattern that Python does not know"),
        ({"type": "textfield", "key": "x", "validate": {"maxLength": "=n"}}, "with this kind of validate.maxLength"),
        ({"type": "number", "key": "x", "validate": {"min": "=n"}}, "number with an expression as min"),
        ({"type": "checkbox", "key": "x", "disabled": "=n"}, "checkbox with this kind of disabled"),
    ],
)
def test_what_is_not_understood_is_named(component: dict[str, Any], named: str) -> None:
    (foreign,) = form_of({"type": "textfield", "key": "known"}, component).foreign
    assert named in foreign


def test_two_fields_of_one_key_are_not_understood() -> None:
    field = {"type": "textfield", "key": "x"}
    assert form_of(field, field).foreign == ("two fields of one key",)


@pytest.mark.parametrize("schema", ["", "[]", "{}", '{"components": {}}', '{"components": ["secret"]}'])
def test_what_is_no_form_is_refused_and_not_repeated(schema: str) -> None:
    with pytest.raises(Failure, match="not a valid form-js schema") as refused:
        Form.parse(schema)
    assert "secret" not in str(refused.value)
