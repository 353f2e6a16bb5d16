"""Texts that would hang or crash a careless evaluator."""

import time

import pytest

from saga.feel import Evaluation, FeelSyntaxError, parse, to_json
from tests.feel.test_golden import NOW

SECONDS = 4.0
"""CPU time for one evaluation: it takes about one second on a machine that has nothing else to do."""

FAILING = {
    "nested loops": "for a in 1..100000, b in 1..100000 return a",
    "a long range": "for i in 1..1000000000 return i",
    "a range to a number with a huge exponent": "for i in 1..10 ** 1000000 return i",
    "loops in conditions": "some a in 1..100000, b in 1..100000 satisfies a + b < 0",
    "a function that is given itself": "{f: function(g) g(g), r: f(f)}.r",
    "a function that is given itself twice": "{f: function(g) g(g) + g(g), r: f(f)}.r",
    "a pattern with nested repetition": 'matches("' + "a" * 40 + '!", "^(a|aa)+$")',
    "patterns in a loop": 'for i in 1..1000 return matches("' + "a" * 28 + '!", "^(a|aa)+$")',
    "a text that doubles": '{a0: "0123456789", ' + ", ".join(f"a{i}: a{i - 1} + a{i - 1}" for i in range(1, 60)) + "}",
    "a text that doubles by replacement": '{a0: "0123456789", '
    + ", ".join(f'a{i}: replace(a{i - 1}, "[0-9]", a{i - 1})' for i in range(1, 20))
    + "}",
    "a list that doubles": "{a0: [1,2,3], "
    + ", ".join(f"a{i}: concatenate(a{i - 1}, a{i - 1})" for i in range(1, 60))
    + "}.a59[1]",
    "a tree with shared parts as result": "{a0: [1,2], "
    + ", ".join(f"a{i}: [a{i - 1}, a{i - 1}]" for i in range(1, 90))
    + "}",
    "a tree with shared parts as text": "string({a0: [1,2], "
    + ", ".join(f"a{i}: [a{i - 1}, a{i - 1}]" for i in range(1, 90))
    + "}.a89)",
    "trees with shared parts compared": "{a0: [1,2], b0: [1,2], "
    + ", ".join(f"a{i}: [a{i - 1}, a{i - 1}], b{i}: [b{i - 1}, b{i - 1}]" for i in range(1, 90))
    + ", r: a89 = b89}.r",
    "a search in a long list, again and again": (
        "{xs: for i in 1..20000 return i, r: for i in 1..1000 return list contains(xs, -1)}.r"
    ),
    "a huge scale": "decimal(1/3, 100000)",
    "a duration beyond all limits": '@"P1D" * 10 ** 1000',
    "a date beyond the calendar": '@"9999-12-31" + @"P1D"',
    "division by zero": "modulo(1, 0)",
}


def evaluate_in_time(text: str) -> Evaluation:
    since = time.process_time()
    answer = parse(text).evaluate({}, NOW)
    assert time.process_time() - since < SECONDS
    return answer


@pytest.mark.parametrize("name", FAILING)
def test_fails_soon_instead_of_running_on(name: str) -> None:
    answer = evaluate_in_time(FAILING[name])
    assert answer.value is None
    assert answer.failure is not None


@pytest.mark.parametrize(
    "pattern", ["(a{65535}){65535}", "((a{99}b){99}){99}", "(" * 3_000, "a" * 100_000, "(a) {60000}"]
)
def test_a_pattern_that_is_expensive_to_compile_is_invalid(pattern: str) -> None:
    answer = evaluate_in_time(f'matches("aaa", "{pattern}")')
    assert [warning.code for warning in answer.warnings] == ["FUNCTION_INVOCATION_FAILURE"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1" + " + 1" * 5_000, "5001"),
        ("-" * 10_001 + "1", "-1"),
        ("true" + " and true" * 5_000, "True"),
        ("2 ** 999999999 > 0", "True"),
        ("floor(10 ** 999999999) = 10 ** 999999999", "True"),
        ("[1, 2][10 ** 1000000]", "None"),
        ("odd(10 ** 1000000 + 1)", "False"),
        ("count(distinct values(for i in 1..50000 return i))", "50000"),
        ("count(duplicate values([10 ** 999999999, 10 ** 999999999, 1.0, 1, [1], [1.0]]))", "3"),
        ('substring("abc", 1, 10 ** 1000000)', "abc"),
    ],
)
def test_what_only_looks_expensive_has_an_answer(text: str, expected: str) -> None:
    assert str(evaluate_in_time(text).value) == expected


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3_000 + "1" + ")" * 3_000,
        "[" * 3_000,
        "{a:" * 3_000,
        "if true then " * 3_000,
        "for x in " * 3_000,
        "not(" * 3_000,
    ],
)
def test_deep_nesting_is_a_syntax_error(text: str) -> None:
    with pytest.raises(FeelSyntaxError, match="nested too deeply"):
        parse(text)


def test_a_long_text_is_a_syntax_error() -> None:
    with pytest.raises(FeelSyntaxError, match="at most 200000 characters"):
        parse("1 + " * 100_000 + "1")


def test_a_deeply_nested_variable_fails_the_evaluation_that_reads_it() -> None:
    value = _nested(1_001)
    answer = parse("x").evaluate({"x": value}, NOW)
    assert answer.failure == "failed to evaluate expression 'x' : a variable is nested too deeply"
    assert parse("y").evaluate({"x": value, "y": 1}, NOW).value == 1


def test_a_variable_of_many_levels_is_read_and_given_back() -> None:
    value = _nested(500)
    assert to_json(parse("x").evaluate({"x": value}, NOW).value) == value
    assert parse("if x instance of string then x else 0").evaluate({"x": value}, NOW).failure is None


def _nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels):
        value = [value]
    return value
