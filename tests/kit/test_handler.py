"""Receipts: written strictly, or an incident that says what is wrong."""

import json
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from saga.common.problems import ProblemDetails
from saga.kit import Broken, Receipt, Step
from saga.kit.definition.handler import Handler
from tests.kit.task import Task


class Bill(Receipt):
    amount: Any = None
    price: float = 0.0
    note: str = ""


class Other(Receipt):
    amount: int = 1


def handler() -> Handler:
    step = Step("write-bill", undo=None)

    @step.do
    async def write(task: Task) -> Bill:
        del task
        return Bill()

    return step.handlers()[0]


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (handler().parse, '{{"name": "Ada Lovelace {}"}}'),
        (Bill.model_validate_json, '{{"note": "Ada Byron {}"}}'),
        (ProblemDetails.model_validate_json, '{{"code": "NO", "detail": "Ada King {}"}}'),
    ],
)
def test_no_text_of_a_customer_is_kept(read: Callable[[str], object], text: str) -> None:
    read(text.format(0))
    before = sys.getallocatedblocks()
    for number in range(1_000):
        read(text.format(number))
    assert sys.getallocatedblocks() - before < 100


def test_a_receipt_is_one_variable_named_after_its_class() -> None:
    assert json.loads(handler().encode(Bill(amount=[1, {"a": None}]))) == {
        "bill": {"amount": [1, {"a": None}], "price": 0.0, "note": ""}
    }


def test_a_decimal_is_text_with_all_its_digits() -> None:
    assert json.loads(handler().encode(Bill(amount=Decimal("12.50"))))["bill"]["amount"] == "12.50"


class Nested(BaseModel):
    number: float


@pytest.mark.parametrize(
    "bill",
    [
        Bill(amount=float("nan")),
        Bill(amount=[1.0, float("inf")]),
        Bill(amount={"deep": {"er": float("-inf")}}),
        Bill(amount=Nested(number=float("nan"))),
        Bill.model_construct(price=float("nan")),
    ],
)
def test_a_number_that_json_does_not_know_is_an_incident(bill: Bill) -> None:
    with pytest.raises(Broken, match="left NaN or an infinite number, which JSON does not know, in its Bill"):
        handler().encode(bill)


def test_the_words_nan_and_infinity_may_stand_in_a_text() -> None:
    assert json.loads(handler().encode(Bill(note="NaN to Infinity")))["bill"]["note"] == "NaN to Infinity"


@pytest.mark.parametrize("value", [object(), b"\xff\xfe", {1, object()}])
def test_what_cannot_be_written_as_json_is_an_incident(value: object) -> None:
    with pytest.raises(Broken, match="cannot be written as JSON"):
        handler().encode(Bill(amount=value))


@pytest.mark.parametrize(("letter", "count"), [("a", 1_000_001), ("é", 500_001), ("😀", 250_001)])
def test_a_receipt_that_is_too_large_is_an_incident_that_says_how_large(letter: str, count: int) -> None:
    with pytest.raises(Broken, match=r"left a receipt of 1000\d\d\d bytes; 1000000 are allowed"):
        handler().encode(Bill(note=letter * count))


@pytest.mark.parametrize("letter", ["a", "é", "😀"])
def test_a_receipt_just_below_the_limit_is_written(letter: str) -> None:
    size = len(letter.encode())
    assert handler().encode(Bill(note=letter * (999_900 // size)))


@pytest.mark.parametrize("returned", [None, {"amount": 1}, Other()])
def test_another_thing_than_the_declared_receipt_is_an_incident(returned: object) -> None:
    with pytest.raises(Broken, match="not the Bill it declares"):
        handler().encode(returned)
