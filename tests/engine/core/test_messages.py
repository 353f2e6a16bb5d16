import json
from typing import Any

import pytest

from tests.engine.core.bench import Bench, creation
from tests.engine.drawing import (
    draw,
    end,
    event_subprocess,
    inside,
    mapping,
    message,
    message_boundary,
    message_start,
    start,
    task,
)

ROW: dict[str, str] = {"start": start(), "a": task("t"), "end": end()}
FLOWS = "start > a > end"


def waiting(process: str = "p", *, interrupting: bool = False, extensions: str = "", key: str = "=k") -> bytes:
    """A task with an event subprocess that waits for the message m."""
    inner = inside(
        "m > b", m=message_start("m", interrupting=interrupting, extensions=extensions), b=task(f"{process}-b")
    )
    return draw(process, FLOWS, message("m", key), **ROW, e=event_subprocess(inner))


def publication(name: str = "m", key: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    return {"name": name, "correlationKey": key, "messageId": "", "timeToLive": 0, "variables": "{}", **more}


def test_a_message_reaches_who_waits_for_its_name_and_key(bench: Bench) -> None:
    bench.deploy(waiting())
    first, second = bench.create(k="1"), bench.create(k="2")
    bench.publish("m", "2", x=1)
    bench.publish("other", "1")
    bench.publish("m", "3")
    job = bench.complete("p-b")
    assert (job["processInstanceKey"], job["variables"]) == (second, {"k": "2", "x": 1})
    assert first != second


def test_a_message_is_told_by_what_it_did(bench: Bench) -> None:
    bench.deploy(waiting())
    instance = bench.create(k="1")
    key = bench.publish("m", "1", x=1)
    (opened,) = bench.events("PROCESS_MESSAGE_SUBSCRIPTION", "CREATED")
    assert opened.value["elementInstanceKey"] == instance
    assert (opened.value["messageName"], opened.value["correlationKey"], opened.value["elementId"]) == ("m", "1", "m")
    (correlated,) = bench.events("PROCESS_MESSAGE_SUBSCRIPTION", "CORRELATED")
    assert (correlated.key, correlated.value["messageKey"]) == (opened.key, key)
    assert [record.intent for record in bench.events("MESSAGE")] == ["PUBLISHED", "EXPIRED"]


def test_a_message_with_time_to_live_waits_for_who_comes_and_one_without_does_not(bench: Bench) -> None:
    bench.deploy(waiting())
    bench.publish("m", "1")
    bench.create(k="1")
    assert bench.jobs("p-b") == []
    bench.publish("m", "2", ttl=1000)
    bench.create(k="2")
    assert len(bench.jobs("p-b")) == 1


def test_of_two_messages_the_first_published_comes_first(bench: Bench) -> None:
    bench.deploy(waiting(interrupting=True))
    bench.publish("m", "1", ttl=1000, n=1)
    bench.publish("m", "1", ttl=1000, n=2)
    bench.create(k="1")
    assert bench.complete("p-b")["variables"]["n"] == 1
    bench.create(k="1")
    assert bench.complete("p-b")["variables"]["n"] == 2


def test_a_number_and_its_text_are_one_key(bench: Bench) -> None:
    bench.deploy(waiting())
    bench.create(k=123)
    bench.publish("m", "123")
    assert len(bench.jobs("p-b")) == 1


@pytest.mark.parametrize("key", [None, True, [1], {"a": 1}])
def test_a_key_that_is_neither_text_nor_number_is_an_incident(bench: Bench, key: object) -> None:
    bench.deploy(waiting())
    instance = bench.create(k=key)
    incident = bench.incident()
    assert (incident["errorType"], incident["elementInstanceKey"]) == ("EXTRACT_VALUE_ERROR", instance)
    assert incident["errorMessage"].startswith(
        "Failed to extract the correlation key for 'k': The value must be either a string or a number, but was '"
    )
    assert bench.jobs("t") == []
    bench.set_variables(instance, k="1")
    bench.resolve()
    bench.publish("m", "1")
    assert (len(bench.jobs("t")), len(bench.jobs("p-b"))) == (1, 1)


def test_a_missing_key_is_an_incident_that_names_the_variable(bench: Bench) -> None:
    bench.deploy(waiting())
    bench.create()
    assert "No variable found with name 'k'" in bench.incident()["errorMessage"]


def test_a_key_keeps_the_value_that_it_had_when_the_subscription_was_opened(bench: Bench) -> None:
    bench.deploy(waiting())
    instance = bench.create(k="1")
    bench.set_variables(instance, k="2")
    bench.publish("m", "2")
    assert bench.jobs("p-b") == []
    bench.publish("m", "1")
    assert len(bench.jobs("p-b")) == 1


def test_a_key_of_a_megabyte_makes_the_creation_itself_fail(bench: Bench) -> None:
    bench.deploy(waiting())
    for starts in ([], ["a"]):
        value = creation(variables=json.dumps({"k": "x" * 1_000_000}), starts=starts)
        rejection = bench.refused("PROCESS_INSTANCE_CREATION", "CREATE", **value)
        assert rejection.code == "INVALID_ARGUMENT"
        assert "at most 32768 bytes" in rejection.reason
        assert len(rejection.reason) < 500
    assert bench.refused("MESSAGE", "PUBLISH", **publication(key="ü" * 20_000)).code == "INVALID_ARGUMENT"
    bench.create(k="ü" * 16_384)
    bench.publish("m", "ü" * 16_384)
    assert len(bench.jobs("p-b")) == 1


def test_a_key_that_is_too_long_inside_of_an_instance_is_an_incident(bench: Bench) -> None:
    bench.deploy(draw("p", FLOWS, message("m", "=k"), **ROW, b=message_boundary("a", "m")))
    bench.create(k="x" * 40_000)
    assert bench.incident()["errorType"] == "EXTRACT_VALUE_ERROR"


# -- ids ------------------------------------------------------------------------------------------------------------


def test_an_id_is_unique_among_the_buffered_messages_of_a_name_and_key(bench: Bench) -> None:
    bench.publish("m", "1", ttl=1000, message_id="i")
    rejection = bench.refused("MESSAGE", "PUBLISH", **publication(key="1", messageId="i"))
    assert rejection.code == "ALREADY_EXISTS"
    assert rejection.reason == (
        "Expected to publish a new message with id 'i', but a message with that id was already published"
    )
    bench.publish("m", "2", ttl=1000, message_id="i")
    bench.publish("n", "1", ttl=1000, message_id="i")
    bench.publish("m", "1", ttl=1000)
    bench.publish("m", "1", ttl=1000)
    bench.publish("o", "1", message_id="i")
    bench.publish("o", "1", message_id="i")


def test_an_id_is_free_again_after_its_time_to_live_also_if_the_message_was_taken(bench: Bench) -> None:
    bench.deploy(waiting())
    bench.create(k="1")
    bench.publish("m", "1", ttl=1000, message_id="i")
    bench.wait(999)
    assert bench.refused("MESSAGE", "PUBLISH", **publication(key="1", messageId="i")).code == "ALREADY_EXISTS"
    bench.wait(1)
    bench.publish("m", "1", message_id="i")
    assert bench.engine.state.tables.messages == {}
    assert bench.engine.state.tables.message_ids == {}


def test_a_message_is_not_correlated_from_its_deadline_on(bench: Bench) -> None:
    bench.deploy(waiting())
    bench.publish("m", "1", ttl=1000)
    bench.now += 1000
    bench.create(k="1")
    assert bench.jobs("p-b") == []


@pytest.mark.parametrize("ttl", [0, -1])
def test_a_message_without_time_to_live_is_gone_at_once(bench: Bench, ttl: int) -> None:
    bench.publish("m", "1", ttl=ttl)
    assert bench.engine.state.tables.messages == {}


def test_a_message_whose_variables_are_no_object_is_refused(bench: Bench) -> None:
    assert bench.refused("MESSAGE", "PUBLISH", **publication(variables="[]")).code == "INVALID_ARGUMENT"


# -- who gets it ----------------------------------------------------------------------------------------------------


def test_of_two_instances_of_a_process_one_gets_a_message_and_of_two_processes_both(bench: Bench) -> None:
    bench.deploy(waiting("p"), waiting("q"))
    for process in ("p", "p", "q"):
        bench.create(process, k="1")
    bench.publish("m", "1")
    assert (len(bench.jobs("p-b")), len(bench.jobs("q-b"))) == (1, 1)


def test_a_non_interrupting_event_subprocess_runs_once_for_each_message(bench: Bench) -> None:
    bench.deploy(waiting())
    instance = bench.create(k="1", n=0)
    for n in (1, 2, 3):
        bench.publish("m", "1", n=n)
    assert (len(bench.jobs("p-b")), len(bench.jobs("t"))) == (3, 1)
    assert bench.variables(instance) == {"k": "1", "n": 3}
    bench.complete("t")
    assert bench.fate(instance) == "ACTIVE"
    for key in bench.jobs("p-b"):
        bench.do("JOB", "COMPLETE", key, variables="{}")
    assert bench.fate(instance) == "COMPLETED"


def test_each_buffered_message_is_given_to_an_instance_once(bench: Bench) -> None:
    bench.deploy(waiting())
    for n in (1, 2, 3):
        bench.publish("m", "1", ttl=1000, n=n)
    bench.create(k="1")
    assert len(bench.jobs("p-b")) == 3
    bench.create(k="1")
    assert len(bench.jobs("p-b")) == 3


def test_an_output_mapping_of_the_start_event_lets_out_what_it_names(bench: Bench) -> None:
    bench.deploy(waiting(extensions=mapping(outputs={"o": "=n"})))
    instance = bench.create(k="1")
    bench.publish("m", "1", n=1, z=2)
    assert bench.variables(instance) == {"k": "1", "o": 1}


def test_an_interrupting_event_subprocess_takes_one_message_and_ends_the_rest(bench: Bench) -> None:
    bench.deploy(waiting(interrupting=True))
    instance = bench.create(k="1")
    bench.publish("m", "1")
    bench.publish("m", "1")
    assert (len(bench.jobs("p-b")), bench.jobs("t")) == (1, [])
    bench.complete("p-b")
    assert bench.fate(instance) == "COMPLETED"


def test_a_subscription_ends_with_its_instance(bench: Bench) -> None:
    bench.deploy(waiting())
    bench.create(k="1")
    bench.complete("t")
    assert [record.intent for record in bench.events("PROCESS_MESSAGE_SUBSCRIPTION")] == ["CREATED", "DELETED"]
    bench.publish("m", "1")
    assert bench.jobs("p-b") == []


def test_an_interrupting_boundary_event_ends_its_task(bench: Bench) -> None:
    bench.deploy(draw("p", f"{FLOWS}; b > c", message("m", "=k"), **ROW, b=message_boundary("a", "m"), c=task("c")))
    instance = bench.create(k="1")
    bench.publish("m", "1", x=1)
    assert bench.jobs("t") == []
    assert bench.complete("c")["variables"] == {"k": "1", "x": 1}
    assert bench.path(instance) == ["start", "b", "c", "p"]


def test_a_non_interrupting_boundary_event_happens_for_each_message_and_its_task_stays(bench: Bench) -> None:
    boundary = message_boundary("a", "m", interrupting=False)
    bench.deploy(draw("p", f"{FLOWS}; b > c", message("m", "=k"), **ROW, b=boundary, c=task("c")))
    instance = bench.create(k="1")
    for foo in (0, 1, 2):
        bench.publish("m", "1", foo=foo)
    assert (len(bench.jobs("t")), len(bench.jobs("c"))) == (1, 3)
    assert bench.variables(instance)["foo"] == 2
    bench.complete("t")
    assert bench.engine.state.tables.subscriptions == {}
