"""Whatever somebody writes: it is refused as text, or it has an answer."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from saga.feel import FeelSyntaxError, parse, to_json, type_name
from tests.feel.test_golden import NOW

_TOKENS = (
    *(
        "null",
        "true",
        "false",
        "1",
        "2.50",
        "0",
        "-1",
        "10 ** 20",
        '"a"',
        '""',
        '"2026-03-14"',
        '"PT1H"',
        "a",
        "b",
        "a.b",
    ),
    *("+", "-", "*", "/", "**", "=", "!=", "<", ">=", "and", "or", "in", "between", "instance of", "number", "Any"),
    *("if", "then", "else", "for", "x", "in", "return", "some", "every", "satisfies", "function(x)", "partial", "item"),
    *("(", ")", "[", "]", "{", "}", ",", ":", ".", "..", "?", "@", "`a`", " ", "\n", "// c\n", "/* c */", "\\", "😀"),
    *('@"2026-03-14"', '@"10:00:00Z"', '@"2026-03-14T10:00:00@Europe/Berlin"', '@"P1D"', '@"P1M"', "now()", "[1..3]"),
)
_FUNCTIONS = (
    *(
        "substring",
        "string length",
        "upper case",
        "contains",
        "matches",
        "replace",
        "split",
        "extract",
        "string",
        "number",
    ),
    *(
        "date",
        "time",
        "date and time",
        "duration",
        "years and months duration",
        "abs",
        "floor",
        "decimal",
        "modulo",
        "sqrt",
    ),
    *("count", "min", "sum", "mean", "median", "stddev", "mode", "all", "sublist", "append", "concatenate", "remove"),
    *(
        "insert before",
        "index of",
        "union",
        "distinct values",
        "flatten",
        "sort",
        "string join",
        "partition",
        "get value",
    ),
    *(
        "get entries",
        "context put",
        "context merge",
        "context",
        "to json",
        "from json",
        "day of week",
        "before",
        "includes",
    ),
    *(
        "is defined",
        "get or else",
        "not",
        "cycle",
        "fromAi",
        "log",
        "exp",
        "odd",
        "round up",
        "to base64",
        "from base64",
    ),
)
_LITERALS = st.sampled_from(
    (
        *(
            "null",
            "true",
            "false",
            "0",
            "1",
            "-2",
            "2.50",
            "10 ** 30",
            "99999999999",
            '"abc"',
            '""',
            '"1"',
            '"[a"',
            '"$1"',
        ),
        *(
            '@"2026-03-14"',
            '@"0001-01-01"',
            '@"9999-12-31"',
            '@"10:00:00"',
            '@"10:00:00+01:00"',
            '@"PT1H"',
            '@"-P1Y2M"',
        ),
        *('@"2026-03-14T10:00:00"', '@"2026-03-29T02:30:00@Europe/Berlin"', '@"9999-12-31T23:00:00Z"', '@"P99999D"'),
        *("a", "a.b", "missing", "[]", "[1, 2, null]", '["a", "b"]', "[[1], 2]", "{}", "{k: 1}", "[1..3]", "(1..3)"),
        *("[{k: 1}, {k: 2}]", "function(x) x", "function(x, y) x < y", "now()", "today()"),
    )
)


def _combine(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operator = st.sampled_from(("+", "-", "*", "/", "**", "=", "!=", "<", ">", "and", "or", "in"))
    call = st.builds(
        lambda name, arguments: f"{name}({', '.join(arguments)})",
        st.sampled_from(_FUNCTIONS),
        st.lists(inner, max_size=4),
    )
    return st.one_of(
        st.builds("({}) {} ({})".format, inner, operator, inner),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("({}).{}".format, inner, st.sampled_from(("k", "year", "hours", "months", "time offset"))),
        st.builds("if {} then {} else {}".format, inner, inner, inner),
        st.builds("for x in {} return ({}) + x".format, inner, inner),
        st.builds("some x in {} satisfies {}".format, inner, inner),
        st.builds("({}) between {} and {}".format, inner, inner, inner),
        st.builds("-({})".format, inner),
        call,
        call,
        call,
    )


_EXPRESSIONS = st.recursive(_LITERALS, _combine, max_leaves=6)
_CONTEXT = {"a": {"b": [1, 2.5, "x", None, True]}}


def _check(text: str) -> None:
    try:
        expression = parse(text)
    except FeelSyntaxError as error:
        refusal = error
    else:
        answer = expression.evaluate(_CONTEXT, NOW)
        assert type_name(answer.value)
        json.dumps(to_json(answer.value), allow_nan=False)
        return
    assert "\n" not in str(refusal)
    assert min(refusal.line, refusal.column) >= 1


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(_TOKENS), max_size=12).map(" ".join)))
def test_random_text_is_refused_or_has_an_answer(text: str) -> None:
    _check(text)


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(_EXPRESSIONS)
def test_random_expressions_always_have_an_answer(text: str) -> None:
    _check(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(_JSON)
def test_a_variable_passes_through_any_expression(value: object) -> None:
    for text in ("x", "x.a", "x[1]", "string(x)", "to json(x)", "x = x", "[x, {y: x}]", "from json(to json(x))"):
        answer = parse(text).evaluate({"x": value}, NOW)
        assert answer.failure is None
        json.dumps(to_json(answer.value), allow_nan=False)
