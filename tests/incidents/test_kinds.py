"""The kinds of incidents are Camunda's own, and what the engine quotes in their messages is not shown."""

import pytest

from saga.operations.incidents.incident_types import NEXT, without_values

CARD = "4242424242424242"
WARNINGS = " The evaluation reported the following warnings:"
NIX = "[NO_VARIABLE_FOUND] No variable found with name 'nix'"
KINDS = {
    "AD_HOC_SUB_PROCESS_NO_RETRIES",
    "CALLED_DECISION_ERROR",
    "CALLED_ELEMENT_ERROR",
    "CONDITION_ERROR",
    "DECISION_EVALUATION_ERROR",
    "EXECUTION_LISTENER_NO_RETRIES",
    "EXTRACT_VALUE_ERROR",
    "FORM_NOT_FOUND",
    "IO_MAPPING_ERROR",
    "JOB_NO_RETRIES",
    "MESSAGE_SIZE_EXCEEDED",
    "RESOURCE_NOT_FOUND",
    "TASK_LISTENER_NO_RETRIES",
    "UNHANDLED_ERROR_EVENT",
    "UNKNOWN",
    "UNSPECIFIED",
}
"""The members of `IncidentErrorTypeEnum` in the published description of Camunda 8.9's API."""


def test_there_is_a_sentence_for_each_kind_that_the_api_knows() -> None:
    assert set(NEXT) == KINDS


@pytest.mark.parametrize(
    ("kind", "message", "shown"),
    [
        (
            "EXTRACT_VALUE_ERROR",
            f"Invalid duration format '{CARD}' for expression 'card'.",
            "Invalid duration format (its value is in the cluster) for expression 'card'.",
        ),
        (
            "EXTRACT_VALUE_ERROR",
            f"Invalid duration format '{CARD}' for expression 'x' and {CARD}' for expression 'card'.",
            "Invalid duration format (its value is in the cluster) for expression 'card'.",
        ),
        (
            "EXTRACT_VALUE_ERROR",
            f"Expected a boolean.{WARNINGS}\n[NOT_COMPARABLE] Can't compare '\"{CARD}\"' with '5'\n{NIX}",
            "Expected a boolean. Warnings, whose texts are in the cluster: NOT_COMPARABLE, NO_VARIABLE_FOUND nix.",
        ),
        (
            "IO_MAPPING_ERROR",
            f"Expected a boolean.\nThe evaluation reported the following warnings: \n{NIX}; \n[INVALID_TYPE] '{CARD}'",
            "Expected a boolean. Warnings, whose texts are in the cluster: NO_VARIABLE_FOUND nix, INVALID_TYPE.",
        ),
        (
            "CALLED_ELEMENT_ERROR",
            "Expected process with BPMN process id 'no-such' to be deployed, but not found.",
            "Expected process with BPMN process id 'no-such' to be deployed, but not found.",
        ),
        *(
            (kind, f"pay cannot read its variables. {NIX}", None)
            for kind in ("JOB_NO_RETRIES", "TASK_LISTENER_NO_RETRIES", "AD_HOC_SUB_PROCESS_NO_RETRIES")
        ),
    ],
)
def test_a_variables_value_is_left_out_and_all_else_stays(kind: str, message: str, shown: str | None) -> None:
    assert without_values(kind, message) == (message if shown is None else shown)
