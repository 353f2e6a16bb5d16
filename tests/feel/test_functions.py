"""Every built-in function, with the values at the edges of its types."""

import itertools
import json
import random

import pytest

from saga.feel import parse, to_json, type_name
from saga.feel.functions import BY_NAME, Builtin
from saga.feel.temporal import Date, DateTime, DayTimeDuration, Time, YearMonthDuration
from saga.feel.values import Function
from tests.feel.test_golden import NOW

_NUMBERS = ("0", "1", "-1", "2.5", "7", "10 ** 30", "-(10 ** 1000000)", "1 / 3", "0.0000001")
_TEXTS = (
    '"17"',
    '""',
    '"abc"',
    '"[a"',
    '"$1"',
    '"a|b"',
    '"2026-03-14"',
    '"PT1H"',
    '"Europe/Berlin"',
    '"Z"',
    '"😀a"',
    '"1,5"',
    '"k"',
    '"dA=="',
    '"half_up"',
)
_LISTS = (
    "[]",
    "[1, 2, 3, 2]",
    "[1, null]",
    '["a", "b"]',
    "[[1], [2, [3]]]",
    "[{k: 1}, {k: 2}]",
    "[true, null]",
    '[{key: "a", value: 1}]',
    "[[1..3]]",
)
_POOL: dict[type, tuple[str, ...]] = {
    str: _TEXTS,
    list: _LISTS,
    dict: ("{}", "{k: 1, l: {m: 2}}", '{key: "a", value: 1}'),
    bool: ("true", "false"),
    Date: ('@"2026-03-31"', '@"0001-01-01"', '@"9999-12-31"'),
    Time: ('@"10:00:00"', '@"23:59:59.999+18:00"', '@"10:00:00@Europe/Berlin"'),
    DateTime: ('@"2026-03-29T02:30:00@Europe/Berlin"', '@"0001-01-01T00:00:00+02:00"', '@"9999-12-31T23:59:59"'),
    DayTimeDuration: ('@"PT0S"', '@"-P1DT2H"', '@"P99999999999D"'),
    YearMonthDuration: ('@"P0Y"', '@"-P1Y2M"', '@"P99999999Y"'),
    Function: ("function(x, y) x < y", "function(x) x", "function(x, y) null"),
    type(None): ("null",),
}
_ANY = ("null", "true", "2.50", '"a"', "[1, [2]]", "{k: now()}", '@"P1D"', "[1..5)", "(2..3]", "function(x) x")
_SIGNATURES = [signature for signatures in BY_NAME.values() for signature in signatures]


def _arguments(signature: Builtin) -> list[tuple[str, ...]]:
    """Some combinations of values that the signature takes."""
    pools = [
        _ANY if types is None else tuple(itertools.chain.from_iterable(_POOL.get(kind, _NUMBERS) for kind in types))
        for types in signature.types
    ]
    combinations = list(itertools.islice(itertools.product(*pools), 20_000))
    random.Random(1).shuffle(combinations)  # noqa: S311 - the same choice every time
    return combinations[:40]


@pytest.mark.parametrize("signature", _SIGNATURES, ids=lambda signature: f"{signature.name}{signature.parameters}")
def test_answers_for_every_argument_of_its_types(signature: Builtin) -> None:
    answers = set()
    for arguments in _arguments(signature):
        named = ", ".join(f"{name}: {text}" for name, text in zip(signature.parameters, arguments, strict=True))
        text = f"{signature.name}({', '.join(arguments)})"
        answer = parse(text).evaluate({}, NOW)
        json.dumps(to_json(answer.value), allow_nan=False)
        if not signature.variadic and signature.name not in {"uuid", "random number"}:
            same = parse(f"{signature.name}({named})").evaluate({}, NOW)
            assert (type_name(same.value), to_json(same.value)) == (type_name(answer.value), to_json(answer.value)), (
                text
            )
        answers.add(type_name(answer.value))
        assert "NO_FUNCTION_FOUND" not in {warning.code for warning in answer.warnings}
    assert answers != {"NULL"}, "it never has an answer"
