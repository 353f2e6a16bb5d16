"""Texts that would hang or crash a careless evaluator."""

import time

import pytest

from tests.feel.test_golden import NOW
from workers.feel import Evaluation, FeelSyntaxError, parse

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
