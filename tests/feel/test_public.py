"""What the engine uses of the package."""

import pytest

from saga.feel import FeelSyntaxError, Missing, parse, terms, to_json, type_name
from tests.feel.test_golden import NOW


def _value(text: str, **context: object) -> object:
    answer = parse(text).evaluate(context, NOW)
    assert answer.failure is None
    return answer.value


def _json(text: str, **context: object) -> object:
    return to_json(_value(text, **context))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.0", 1),
        ("7 / 2", 3.5),
        ("9223372036854775807", 9_223_372_036_854_775_807),
        ("9223372036854775808", -9_223_372_036_854_775_808),
        ("2 ** 64 + 5", 5),
        ("-(2 ** 64) - 5", -5),
        ("10 ** 1000000", 0),
        ("1 / 3", 0.3333333333333333),
        ('@"2026-03-14T10:00:00@Europe/Berlin"', "2026-03-14T10:00:00+01:00"),
        ('@"2026-03-14T10:00:00"', "2026-03-14T10:00:00"),
        ('@"10:00:00@Europe/Berlin"', "10:00:00@Europe/Berlin"),
        ('{a: [@"P1D", @"P1Y"], f: function(x) x}', {"a": ["P1D", "P1Y"], "f": None}),
    ],
)
def test_results_become_json_as_zeebe_stores_them(text: str, expected: object) -> None:
    value = _json(text)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("null", "NULL"),
        ("true", "BOOLEAN"),
        ("1", "NUMBER"),
        ('"a"', "STRING"),
        ("[]", "ARRAY"),
        ("{}", "OBJECT"),
        ("today()", "DATE"),
        ('@"10:00:00"', "TIME"),
        ("now()", "DATE_TIME"),
        ('@"PT1H"', "DURATION"),
        ('@"P1M"', "PERIOD"),
        ("function(x) x", "FUNCTION"),
    ],
)
def test_types_have_the_names_of_incidents(text: str, name: str) -> None:
    assert type_name(_value(text)) == name


def test_a_syntax_error_says_where_it_is_in_one_line() -> None:
    with pytest.raises(FeelSyntaxError) as caught:
        parse("[1,\n2,\n3")
    assert (caught.value.line, caught.value.column) == (3, 2)
    assert str(caught.value) == "failed to parse expression '[1, 2, 3': expected ',', found the end (line 3, column 2)"


def test_a_function_of_camunda_that_is_lacking_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms, "LACKING", frozenset({"read mind"}))
    with pytest.raises(Missing, match="the function 'read mind' is not supported"):
        parse("1 + read mind(x)")


def test_a_function_that_nobody_has_is_null_with_a_warning() -> None:
    answer = parse("read mind(1, 2)").evaluate({}, NOW)
    assert answer.value is None
    assert answer.warnings == [("NO_FUNCTION_FOUND", "No function found with name 'read mind' and 2 parameters")]


def test_a_failed_assertion_says_what_it_wants() -> None:
    answer = parse('assert(x, x != null, "no x")').evaluate({}, NOW)
    assert answer.failure == ("Assertion failure on evaluate the expression 'assert(x, x != null, \"no x\")': no x")


def test_the_same_text_is_parsed_once() -> None:
    assert parse("a + 1 + 2") is parse("a + 1 + 2")


def test_warnings_are_limited_in_number_and_length() -> None:
    answer = parse("for i in 1..5000 return x + i").evaluate({"x": ["long"] * 50_000}, NOW)
    assert len(answer.warnings) == 100
    assert max(len(warning.text) for warning in answer.warnings) < 2_100


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{y: 1, f: function(x) x + y, y: 5, r: f(1)}.r", 2),
        ("{f: function(n) if n = 0 then 0 else f(n - 1), r: f(3)}.r", None),
        ("for f in [function(x) x * 2] return f(4)", [8]),
        ("{f: function(a, b) a - b, r: f(b: 1, a: 3)}.r", 2),
        ("{count: function(x) 42, r: count([])}.r", 42),
    ],
)
def test_functions_see_the_names_that_were_there_before_them(text: str, expected: object) -> None:
    assert _json(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 in (? > 3)", True),
        ("x in < 5", True),
        ("x in (> 10, 2)", True),
        ("x in ]2..5[", False),
        ("x in ]1..5[ and true", True),
        ("x in [1..xs[1]]", True),
        ('"b" in ("a", contains(?, "b"))', True),
        ("[2][item in (1, 2)]", [2]),
        ("[null, 1][item = null]", [None]),
        ("[{item: 1}][item = 1]", [{"item": 1}]),
        ("for x in xs, y in 1..x return y", [1, 2, 1, 2, 3]),
        ("for x in [1], y in for y in [2] return y + x return y", [3]),
        ("date and time(x: 1)", None),
        ("for i in 1..4 return count(partial)", [0, 1, 2, 3]),
        ("for i in 1..2 return for j in append(partial, i) return count(partial)", [[0], [0, 1]]),
        ("for i in 1..2 return [partial]", [[[]], [[[[]]]]]),
        ("`x` + 1", 3),
        ("{`a b`: 1}.`a b`", 1),
    ],
)
def test_corners_of_the_language(text: str, expected: object) -> None:
    assert to_json(parse(text).evaluate({"x": 2, "xs": [2, 3]}, NOW).value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('@"2026-10-25T02:30:00@Europe/Berlin"', "2026-10-25T02:30:00+02:00"),
        ('@"2026-03-29T02:30:00@Europe/Berlin"', "2026-03-29T03:30:00+02:00"),
        ('@"2026-10-25T00:30:00@Europe/Berlin" + @"P1D"', "2026-10-25T23:30:00+01:00"),
        ('@"2026-02-28T02:30:00@Europe/Berlin" + @"P1M1Y"', None),
        ('@"2026-02-28T02:30:00@Europe/Berlin" + @"P1Y1M"', "2027-03-28T03:30:00+02:00"),
        ('@"2024-02-29" + @"P1Y"', "2025-02-28"),
        ('@"23:30:00" + @"PT1H"', "00:30:00"),
        ('@"00:30:00Z" - @"PT1H"', "23:30:00Z"),
        ('@"2026-03-14" - @"PT1S"', "2026-03-13"),
        ('@"10:00:00+02:00" = @"08:00:00Z"', False),
        ('@"10:00:00+02:00" <= @"08:00:00Z"', True),
        ('@"2026-03-14T10:00:00" < @"2026-03-14T10:00:00Z"', None),
        ('(now() - @"1970-01-01T00:00Z") / @"PT1S" * 1000', 1_773_500_966_000),
        ('date and time(@"2020-07-31T14:27:30@Europe/Berlin", "America/Los_Angeles")', "2020-07-31T05:27:30-07:00"),
        ('date and time("2026-03-14T10:00:00@Nowhere/City")', None),
        ('date and time("2026-03-14T10:00:00@../../etc/passwd")', None),
        ('duration("-PT90M").minutes', -30),
        ('string(@"-PT1.5S")', "-PT1S"),
        ('@"P1Y" * 1.9', "P1Y"),
        ('@"P1Y" / 5', "P2M"),
    ],
)
def test_temporal_corners(text: str, expected: object) -> None:
    assert to_json(parse(text).evaluate({}, NOW).value) == expected
