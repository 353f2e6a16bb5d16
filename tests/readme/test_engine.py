"""docs/engine.md names what the engine has: its options, and what it runs."""

import re

from saga.engine import admission, records, streams
from saga.engine.command import _parser
from saga.engine.core import active, engine, follow_ups, subscriptions, times, variables
from saga.engine.core.bpmn import xml
from saga.engine.core.bpmn.reader import _IGNORED, _TYPES
from saga.engine.core.commands import jobs
from saga.engine.gateway import server, status
from saga.engine.gateway.servicer import _CALLS, _STREAMS, SERVICE
from saga.engine.rest import call, conditions, definitions, search
from saga.engine.rest.application import ROUTES, UNSERVED
from saga.feel import evaluate, scope
from saga.feel.parse import MAX_DEPTH
from tests.stack import ROOT

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
BOUNDS = {
    "bytes of a gRPC request": server.MAX_MESSAGE,
    "bytes of a REST body": call.LARGEST_BODY,
    "files of a deployment over REST": definitions.MAX_FILES,
    "bytes of a BPMN file": xml.MAX_BYTES,
    "XML elements inside of each other": xml.MAX_DEPTH,
    "DOCTYPE and entity declarations": 0,
    "characters of an expression": evaluate.MAX_LENGTH,
    "levels of an expression": MAX_DEPTH,
    "steps of an evaluation": scope.MAX_STEPS,
    "characters of a text in an evaluation": scope.MAX_TEXT,
    "characters of a value that a mapping or a loop makes": variables.MAX_MAPPED,
    "bytes of a correlation key": subscriptions.MAX_KEY,
    "characters of an error message": jobs.MAX_ERROR,
    "bytes of one batch of jobs": jobs.MAX_BATCH,
    "jobs of one batch": jobs.MAX_JOBS,
    "unsent jobs of a stream": streams.UNSENT,
    "commands that wait": admission.MAX_COMMANDS,
    "polls that wait for jobs": admission.MAX_POLLS,
    "open streams": admission.MAX_STREAMS,
    "creations that wait for a result": admission.MAX_RESULTS,
    "requests that read or await records at the management port": records.MAX_READERS,
    "steps of an instance in a row": engine.MAX_FOLLOW_UPS,
    "elements that a token passes without a wait state": follow_ups.MAX_HOPS,
    "elements and tokens of an instance, with those it calls": active.MAX_ACTIVE,
    "milliseconds of the clock, the end of the year 9999": times.FAR,
    "items of a page": search.LARGEST_LIMIT,
    "items of a search that are counted": search.MOST_COUNTED,
    "conditions of a filter": conditions.MAX_CONDITIONS,
    "characters of a `$like` pattern": conditions.MAX_PATTERN,
    "bytes of a gRPC status text": status.MAX_TEXT,
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


def test_its_bounds_are_those_of_the_engine() -> None:
    table = PAGE.partition("## Bounds")[2].partition("## Clock")[0]
    rows = [line.split(" | ")[:2] for line in table.splitlines() if line.startswith("| ")]
    assert rows[0] == ["| Bound", "Limit"]
    assert {bound[2:]: limit for bound, limit in rows[1:]} == {bound: f"{limit:,}" for bound, limit in BOUNDS.items()}
