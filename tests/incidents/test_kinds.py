"""The kinds of incidents are Camunda's own, and what the engine quotes in their messages is not shown."""

import re
from pathlib import Path
from zipfile import ZipFile

import pytest

from workers.cluster.artifacts import locked
from workers.cluster.layout import Layout
from workers.incidents.kinds import NEXT, without_values

CARD = "4242424242424242"
WARNINGS = " The evaluation reported the following warnings:"
NIX = "[NO_VARIABLE_FOUND] No variable found with name 'nix'"
_CONSTANT = re.compile(rb"\x01\x00(?P<length>.)(?P<name>[A-Z]+(?:_[A-Z]+)*)", re.DOTALL)
"""A text in a Java class's pool of constants (JVMS 4.4.7) that may be an enum's member."""


def members(jar: Path, enum: str) -> set[str]:
    content = ZipFile(jar).read(enum)
    found = _CONSTANT.finditer(content)
    return {each["name"][: each["length"][0]].decode() for each in found if len(each["name"]) >= each["length"][0] > 2}


@pytest.mark.usefixtures("stack")
def test_there_is_a_sentence_for_each_kind_that_the_distribution_knows() -> None:
    archive = locked("camunda")[0]
    folder = f"{archive.name}-{archive.version}"
    jars = Layout.of(0).cache / folder / folder / "lib"
    broker = members(
        jars / f"zeebe-protocol-{archive.version}.jar", "io/camunda/zeebe/protocol/record/value/ErrorType.class"
    )
    operate = members(jars / f"operate-schema-{archive.version}.jar", "io/camunda/operate/entities/ErrorType.class")
    assert "JOB_NO_RETRIES" in broker & operate
    assert set(NEXT) == broker | operate - {"LOGGER"}


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
