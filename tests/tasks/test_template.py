"""Texts of forms: their expressions are filled in, and nothing in a value moves the terminal."""

import json
from typing import Any

import pytest

from bpmn.render import BPMN
from saga.operations.tasks.template import fill, is_true

VARIABLES: dict[str, Any] = {
    "orderId": "4711",
    "doneAt": "2026-01-02T03:04:05+00:00",
    "items": [{"sku": "a", "count": 2}],
    "total": 2.5,
    "count": 3,
    "paid": True,
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Order {{orderId}}", "Order 4711"),
        ("{{ orderId }}/{{count}}", "4711/3"),
        ('{{replace(doneAt, "T", " ")}}', "2026-01-02 03:04:05+00:00"),
        ('{{if count > 2 then "many" else "few"}}', "many"),
        ("{{items[1].sku}}", "a"),
        ("{{items}}", '[{"sku": "a", "count": 2}]'),
        ("{{total}} {{paid}}", "2.5 true"),
        ("[{{nobody}}]", "[]"),
        ("={{}", "={{}"),
        ('="Order " + orderId', "Order 4711"),
        ("{{#if paid}}", "{{#if paid}}"),
        ("no expression } {", "no expression } {"),
    ],
)
def test_expressions_in_a_text_are_filled_in(template: str, text: str) -> None:
    assert fill(template, VARIABLES) == text


def test_the_text_of_settle_by_hand_says_what_was_done() -> None:
    form = json.loads((BPMN / "settle-by-hand.form").read_text(encoding="utf-8"))
    variables = {
        **VARIABLES,
        "why": "Nobody knows.",
        "participant": "inventory",
        "branch": "all",
        "taskType": "reserve",
    }
    text = fill(form["components"][0]["text"], variables)
    assert "## Order 4711\n\nNobody knows." in text
    assert "| inventory | all | reserve | 2026-01-02 03:04:05+00:00 | not known |" in text
    assert "{{" not in text


@pytest.mark.parametrize("value", ["\x1b[2J", "\x9b2J", "a\rb", "\x07", "\u202etxt"])
def test_no_value_moves_the_terminal(value: str) -> None:
    shown = fill("{{name}}", {"name": value})
    assert "\N{REPLACEMENT CHARACTER}" in shown
    assert not set(shown) & set("\x1b\x9b\r\x07\u202e")


def test_lines_of_a_value_stay_lines() -> None:
    assert fill("{{name}}", {"name": "a\n\tb"}) == "a\n\tb"


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("=count > 2", True),
        ("count > 2", True),
        ("=count > 3", False),
        ("=nobody", False),
        ("=count", False),
        ("=(", False),
        ("", False),
        (None, False),
    ],
)
def test_a_condition_holds_only_where_it_is_true(expression: str | None, holds: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_true(expression, VARIABLES) is holds
