"""docs/engine.md names what the engine has: its options, and what it runs."""

import re

from tests.stack import ROOT
from workers.engine.command import _parser
from workers.engine.core.bpmn.reader import _IGNORED, _TYPES
from workers.engine.gateway.servicer import _CALLS, _STREAMS, SERVICE
from workers.engine.rest.application import ROUTES, UNSERVED

PAGE = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
WORDS = {
    "callActivity": "call activity",
    "eventBasedGateway": "event-based",
    "exclusiveGateway": "exclusive",
    "intermediateCatchEvent": "timer catch",
    "intermediateThrowEvent": "compensation throw",
    "boundaryEvent": "Boundary events",
    "startEvent": "none start",
    "endEvent": "none end",
    "parallelGateway": "parallel",
    "businessRuleTask": "business rule task",
    "scriptTask": "script",
    "sendTask": "send",
    "manualTask": "manual",
    "task": "undefined task",
    "subProcess": "embedded subprocess",
    "userTask": "user task",
    "serviceTask": "service task",
    "receiveTask": "receive task",
}


def test_its_options_are_those_of_the_command() -> None:
    table = PAGE.partition("## Options")[2].partition("## Ports")[0]
    options = {option for action in _parser("saga engine")._actions for option in action.option_strings}  # noqa: SLF001 - argparse has no other way
    assert set(re.findall(r"--[a-z][a-z-]+", table)) == {option for option in options if option.startswith("--")} - {
        "--help"
    }


def test_it_names_each_element_that_the_engine_runs() -> None:
    runs = PAGE.partition("## Elements")[2].partition("## Not supported")[0]
    assert set(WORDS) == set(_TYPES)
    assert [word for word in WORDS.values() if word not in runs] == []
    assert {"laneSet", "group", "textAnnotation", "documentation", "dataObject"} <= _IGNORED


def test_its_routes_are_those_that_are_served() -> None:
    listed = PAGE.partition("```text\n")[2].partition("```")[0].splitlines()
    assert sorted(listed) == sorted(
        f"{method:6} {path}" for path, methods in ROUTES.items() for method in methods if path != "/"
    )


def test_the_routes_that_it_names_are_served_or_say_why_not() -> None:
    named = set(re.findall(r"`(?:PUT|POST|GET) (/v2/[^`]+)`", PAGE))
    assert set(UNSERVED) <= named <= {*ROUTES, *UNSERVED}


def test_it_names_each_call_that_is_not_served() -> None:
    sentence = PAGE.partition("gRPC: every call")[2].partition("UNIMPLEMENTED")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == {*SERVICE.methods_by_name} - {*_CALLS, *_STREAMS, "Topology"}
