"""The kinds of incidents are Camunda's own, and what the engine quotes in their messages is not shown."""

import pytest

from workers.incidents.kinds import NEXT, without_values

CARD = "4242424242424242"
WARNINGS = " The evaluation reported the following warnings:"
NIX = "[NO_VARIABLE_FOUND] No variable found with name 'nix'"


KINDS = {
    *("JOB_NO_RETRIES", "EXECUTION_LISTENER_NO_RETRIES", "UNHANDLED_ERROR_EVENT", "IO_MAPPING_ERROR"),
    *("CONDITION_ERROR", "EXTRACT_VALUE_ERROR", "CALLED_ELEMENT_ERROR", "CALLED_DECISION_ERROR"),
    *("DECISION_EVALUATION_ERROR", "FORM_NOT_FOUND", "MESSAGE_SIZE_EXCEEDED", "UNKNOWN", "UNSPECIFIED"),
}


def test_there_is_a_sentence_for_each_kind_of_incident() -> None:
    assert set(NEXT) == KINDS


@pytest.mark.parametrize(
    ("kind", "message", "shown"),
    [
        (
            "EXTRACT_VALUE_ERROR",
            f"Invalid duration format '{CARD}' for expression 'card'.",
            "Invalid duration format (its value is in Operate) for expression 'card'.",
        ),
        (
            "EXTRACT_VALUE_ERROR",
            f"Invalid duration format '{CARD}' for expression 'x' and {CARD}' for expression 'card'.",
            "Invalid duration format (its value is in Operate) for expression 'card'.",
        ),
        (
            "EXTRACT_VALUE_ERROR",
            f"Expected a boolean.{WARNINGS}\n[NOT_COMPARABLE] Can't compare '\"{CARD}\"' with '5'\n{NIX}",
            "Expected a boolean. Warnings, whose texts are in Operate: NOT_COMPARABLE, NO_VARIABLE_FOUND nix.",
        ),
        (
            "CALLED_ELEMENT_ERROR",
            "Expected process with BPMN process id 'no-such' to be deployed, but not found.",
            "Expected process with BPMN process id 'no-such' to be deployed, but not found.",
        ),
        ("JOB_NO_RETRIES", "pay cannot read its variables. card: '' is no card", None),
    ],
)
def test_a_variables_value_is_left_out_and_all_else_stays(kind: str, message: str, shown: str | None) -> None:
    assert without_values(kind, message) == (message if shown is None else shown)
