"""What is read of a problem document, and how a field that is wrong is named."""

import json
from typing import Any

import httpx
import pytest

from saga.common.problems import PROBLEM, FieldError, ProblemDetails, field_path, problem_of


def answer(document: Any, kind: str = PROBLEM) -> httpx.Response:  # noqa: ANN401 - any JSON
    return httpx.Response(409, content=json.dumps(document), headers={"Content-Type": kind})


def test_a_problem_is_read_and_what_else_is_in_it_is_not() -> None:
    document = {
        "type": "urn:x",
        "title": "No",
        "status": 409,
        "detail": "not now",
        "code": "NO",
        "seen": True,
        "errors": [{"field": "card", "message": "is empty"}],
    }
    errors = [FieldError("card", "is empty")]
    assert problem_of(answer(document)) == ProblemDetails(code="NO", detail="not now", title="No", errors=errors)


def test_a_problem_need_not_have_a_code() -> None:
    assert problem_of(answer({"title": "NOT_FOUND", "detail": "not found"})) == ProblemDetails(
        title="NOT_FOUND", detail="not found"
    )


@pytest.mark.parametrize(
    "response",
    [
        answer({"code": "NO"}, "application/json"),
        answer([]),
        answer({"code": 7}),
        answer({"errors": "many"}),
        httpx.Response(409, content=b"<html>", headers={"Content-Type": PROBLEM}),
    ],
    ids=["other type", "not an object", "code is not text", "errors are not a list", "not JSON"],
)
def test_what_is_not_a_valid_problem_is_none(response: httpx.Response) -> None:
    assert problem_of(response) is None


@pytest.mark.parametrize(
    ("location", "path"),
    [((), ""), (("card",), "card"), (("items", 0, "sku"), "items[0].sku"), ((0, "sku"), "[0].sku")],
)
def test_a_field_is_written_as_a_person_does(location: tuple[int | str, ...], path: str) -> None:
    assert field_path(location) == path


def test_an_unknown_field_is_named_by_its_place_for_its_name_may_say_anything() -> None:
    place = FieldError.of("extra_forbidden", ("items", 0, "Ada King"), "Extra inputs", whole="body")
    assert place == FieldError("items[0]", "has an unknown field")
    assert FieldError.of("extra_forbidden", ("Ada King",), "Extra inputs", whole="body").field == "body"
