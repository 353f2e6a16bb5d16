import time

import pytest

from tests.engine.core.bench import Bench
from tests.engine.drawing import (
    draw,
    end,
    start,
    task,
)

P1 = draw("p", "start > a > end", start=start(), a=task("t"), end=end())


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (P1[:-20], "not well-formed"),
        (b"", "not well-formed"),
        (b"\xff\xfe" + P1.decode().encode("utf-16-le"), "not UTF-8"),
        (b"<definitions />", "not a BPMN document"),
        (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]>' + P1[38:], "DOCTYPE"),
        (P1.replace(b"<bpmn:process", b"<!-- --><!doctype x><bpmn:process"), "DOCTYPE"),
        (P1 + b" " * 4_200_000, "at most 4194304"),
        (P1.replace(b"<bpmn:startEvent", b"<x>" * 300 + b"</x>" * 300 + b"<bpmn:startEvent"), "excessive depth"),
    ],
)
def test_a_document_that_is_none_or_not_safe_is_refused_by_name(bench: Bench, document: bytes, told: str) -> None:
    begun = time.monotonic()
    reason = bench.refused_deployment(document)
    assert time.monotonic() - begun < 1
    assert "'0-process.bpmn': " in reason
    assert told.lower() in reason.lower()


def test_entities_that_would_fill_the_memory_are_refused_within_a_second(bench: Bench) -> None:
    entities = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{entities}]><x>&l12;</x>'.encode()
    begun = time.monotonic()
    assert "DOCTYPE" in bench.refused_deployment(bomb)
    assert time.monotonic() - begun < 1


def test_a_diagram_full_of_loose_ends_is_refused_in_no_time(bench: Bench) -> None:
    flows = "".join(f'<bpmn:sequenceFlow id="f{n}" sourceRef="a{n}" targetRef="b{n}" />' for n in range(5_000))
    begun = time.monotonic()
    assert bench.refused_deployment(draw("p", start=start(), ends=flows)).count("sourceRef") == 5_000
    assert time.monotonic() - begun < 5


def test_resources_of_other_kinds_are_refused(bench: Bench) -> None:
    for name in ("a.dmn", "a.txt", "bpmn"):
        assert "Only resources whose names end with .bpmn or .form" in bench.refused_deployment(P1, name=name)
