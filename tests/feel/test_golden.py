"""What the library that Camunda evaluates FEEL with answered, case by case."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from saga.feel import Evaluation, FeelSyntaxError, Now, parse, type_name

_FOLDER = Path(__file__).parent
_TABLE = json.loads((_FOLDER / "golden.json").read_text(encoding="utf-8"), parse_float=Decimal)
_CONTEXTS = json.loads((_FOLDER / "golden.json").read_text(encoding="utf-8"))["contexts"]
_CASES = {case["id"]: case for case in _TABLE["cases"]}
_LACKING = json.loads((_FOLDER / "lacking.json").read_text(encoding="utf-8"))
NOW = Now(milliseconds=1_773_500_966_000, zone="UTC", seed=7)
"""2026-03-14T15:09:26Z, the clock of the table."""

_TYPES = {
    "NULL": "null",
    "BOOLEAN": "boolean",
    "NUMBER": "number",
    "STRING": "string",
    "ARRAY": "list",
    "OBJECT": "context",
    "DATE": "date",
    "TIME": "time",
    "DATE_TIME": "date and time",
    "DURATION": "days and time duration",
    "PERIOD": "years and months duration",
}


def _plain(value: object) -> object:
    """A value as the table writes it."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, bool | str | Decimal) else {"@type": str(value)}


def _evaluate(case: dict[str, Any]) -> Evaluation | None:
    try:
        expression = parse(case["expression"])
    except FeelSyntaxError:
        return None
    return expression.evaluate(_CONTEXTS[case["context"]], NOW)


def _difference(case: dict[str, Any]) -> str | None:
    """What is wrong with our answer, or None."""
    answer = _evaluate(case)
    stage = case.get("failure", {}).get("stage")
    if stage == "parse" or answer is None:
        return None if stage == "parse" and answer is None else f"parses: {answer}"
    if (stage == "eval") != (answer.failure is not None):
        return f"fails: {answer}"
    # Zeebe's own functions are unknown to the library: what is under "zeebe" is then expected, with its warnings.
    wanted = {"result": case["zeebe"], "warnings": case["zeebe"].get("warnings", [])} if "zeebe" in case else case
    if "result" in wanted:
        expected, value = wanted["result"], _plain(answer.value)
        value = value["@type"] if isinstance(value, dict) and "@type" in value else value
        if _TYPES[type_name(answer.value)] != expected["type"] or value != expected["value"]:
            return f"answers: {answer}"
    warnings = [(code, _words(text)) for code, text in wanted.get("warnings", [])]
    ours = [(warning.code, _words(warning.text)) for warning in answer.warnings]
    return None if warnings == ours else f"warns: {answer.warnings}"


def _words(text: str) -> list[str]:
    """The words of a warning. Their order is left out: the order of a context's keys is not promised."""
    return sorted(text.replace(",", "").split())


@pytest.mark.parametrize("number", [number for number in _CASES if str(number) not in _LACKING])
def test_answers_as_camunda_does(number: int) -> None:
    assert _difference(_CASES[number]) is None


def test_what_is_listed_as_lacking_still_is() -> None:
    assert [number for number in _LACKING if _difference(_CASES[int(number)]) is None] == []
