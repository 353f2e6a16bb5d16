from typing import Any

import pytest

from tests.engine.core.bench import Bench, creation
from tests.engine.drawing import (
    draw,
    end,
    error_start,
    event_subprocess,
    inside,
    mapping,
    message,
    message_start,
    start,
    task,
)


def one(inputs: dict[str, str] | None = None, outputs: dict[str, str] | None = None) -> bytes:
    """A process of one task with these mappings."""
    return draw("p", "start > a > end", start=start(), a=task("t", extensions=mapping(inputs, outputs)), end=end())


def result(bench: Bench, **given: Any) -> Any:  # noqa: ANN401 - any JSON
    """Complete the one task with these variables and return the instance's."""
    bench.complete("t", **given)
    (found,) = bench.results.values()
    return found


def test_a_job_updates_variables_and_makes_new_ones_in_the_instance(bench: Bench) -> None:
    bench.deploy(one())
    bench.create(a=1, c=1)
    assert result(bench, a=2, b=3) == {"a": 2, "b": 3, "c": 1}


def test_a_value_that_does_not_change_writes_no_record(bench: Bench) -> None:
    bench.deploy(one())
    bench.create(a=1)
    result(bench, a=1)
    assert len(list(bench.events("VARIABLE"))) == 1


def test_an_input_mapping_makes_a_variable_of_the_task_alone(bench: Bench) -> None:
    bench.deploy(one({"x": "=a"}))
    bench.create(a=1)
    assert bench.job("t")["variables"] == {"a": 1, "x": 1}
    bench.do("JOB", "COMPLETE", bench.jobs("t")[0], variables='{"x": 9}')
    assert list(bench.results.values()) == [{"a": 1}]


def test_a_later_input_mapping_sees_the_earlier(bench: Bench) -> None:
    bench.deploy(one({"x": "=a + 1", "y": "=x * 2"}))
    bench.create(a=1)
    assert bench.job("t")["variables"] == {"a": 1, "x": 2, "y": 4}


def test_a_path_of_an_input_mapping_begins_a_new_object(bench: Bench) -> None:
    bench.deploy(one({"o.x": "=1", "o.y.z": "=2"}))
    bench.create(o={"b": 1})
    assert bench.job("t")["variables"] == {"o": {"x": 1, "y": {"z": 2}}}


def test_the_source_of_an_input_mapping_may_be_text_or_nothing(bench: Bench) -> None:
    bench.deploy(one({"x": "text", "y": "", "z": "= 1"}))
    bench.create()
    assert bench.job("t")["variables"] == {"x": "text", "y": None, "z": 1}


def test_input_mappings_stand_between_activating_and_activated(bench: Bench) -> None:
    bench.deploy(one({"x": "=a"}, {"o": "=x"}))
    bench.create(a=1)
    bench.complete("t")
    of_task = [
        r for r in bench.log if r.record_type == "EVENT" and bench.key_of("a") in {r.key, r.value.get("scopeKey")}
    ]
    assert [r.intent for r in of_task][:3] == ["ELEMENT_ACTIVATING", "CREATED", "ELEMENT_ACTIVATED"]
    told = [r.value["name"] if r.value_type == "VARIABLE" else r.intent for r in bench.log if r.record_type == "EVENT"]
    assert told[told.index("o") - 1] == "ELEMENT_COMPLETING"
    assert told[told.index("o") + 1] == "ELEMENT_COMPLETED"


def test_output_mappings_let_out_what_they_name_and_nothing_else(bench: Bench) -> None:
    bench.deploy(one(outputs={"o": "=r.v"}))
    bench.create()
    assert result(bench, r={"v": 1}, z=2) == {"o": 1}


def test_a_path_of_an_output_mapping_goes_into_the_object(bench: Bench) -> None:
    bench.deploy(one(outputs={"o.a": "=r", "o.c.d": "=r"}))
    bench.create(o={"b": 1})
    assert result(bench, r=5) == {"o": {"a": 5, "b": 1, "c": {"d": 5}}}


def test_the_last_of_two_mappings_to_one_target_wins(bench: Bench) -> None:
    outputs = '<zeebe:output source="=1" target="o" /><zeebe:output source="=2" target="o" />'
    doubled = task("t", extensions=f"<zeebe:ioMapping>{outputs}</zeebe:ioMapping>")
    bench.deploy(draw("p", "start > a", start=start(), a=doubled))
    bench.create()
    assert result(bench) == {"o": 2}


def test_a_missing_variable_is_null_and_no_incident(bench: Bench) -> None:
    bench.deploy(one({"x": "=missing"}))
    bench.create()
    assert bench.job("t")["variables"] == {"x": None}


def test_an_input_mapping_that_fails_is_an_incident_before_the_job_exists(bench: Bench) -> None:
    bench.deploy(one({"x": "=1", "y": "=assert(m, m != null)"}))
    instance = bench.create()
    incident = bench.incident()
    assert (incident["errorType"], incident["elementId"]) == ("IO_MAPPING_ERROR", "a")
    assert incident["variableScopeKey"] == incident["elementInstanceKey"]
    assert bench.jobs("t") == []
    assert bench.variables(incident["elementInstanceKey"]) == {}
    bench.set_variables(instance, m=1)
    bench.resolve()
    assert bench.job("t")["variables"] == {"m": 1, "x": 1, "y": 1}


def test_an_output_mapping_that_fails_leaves_the_element_completing_and_nothing_applied(bench: Bench) -> None:
    bench.deploy(one(outputs={"o": "=r", "q": "=assert(m, m != null)"}))
    instance = bench.create()
    bench.complete("t", r=1)
    incident = bench.incident()
    assert (incident["errorType"], incident["jobKey"]) == ("IO_MAPPING_ERROR", -1)
    assert bench.variables(instance) == {}
    assert bench.engine.state.tables.elements[incident["elementInstanceKey"]].state == "COMPLETING"
    bench.set_variables(incident["elementInstanceKey"], local=True, m=2)
    bench.resolve()
    assert bench.results == {instance: {"o": 1, "q": 2}}


def test_variables_that_are_set_are_seen_by_the_next_who_looks(bench: Bench) -> None:
    bench.deploy(one())
    instance = bench.create(a=1)
    element = bench.job("t")["elementInstanceKey"]
    bench.set_variables(element, local=True, l=1, a=7)
    bench.set_variables(element, a=8, g=2)
    bench.fail(bench.jobs("t")[0], 1)
    assert bench.complete("t")["variables"] == {"a": 8, "l": 1, "g": 2}
    assert bench.results == {instance: {"a": 1, "g": 2}}


def test_setting_nothing_is_fine_and_on_what_has_ended_it_is_not(bench: Bench) -> None:
    bench.deploy(one())
    instance = bench.create()
    element = bench.job("t")["elementInstanceKey"]
    bench.set_variables(instance)
    bench.do("JOB", "COMPLETE", bench.jobs("t")[0], variables="")
    for key in (instance, element, 4242):
        value: dict[str, Any] = {"scopeKey": key, "variables": "{}", "updateSemantics": "LOCAL"}
        rejection = bench.refused("VARIABLE_DOCUMENT", "UPDATE", **value)
        assert rejection.code == "NOT_FOUND"
        assert rejection.reason == (
            f"Expected to update variables for element with key '{key}', but no such element was found"
        )


def test_variables_that_are_set_have_to_be_an_object(bench: Bench) -> None:
    bench.deploy(one())
    value: dict[str, Any] = {"scopeKey": bench.create(), "variables": "[]", "updateSemantics": "LOCAL"}
    assert bench.refused("VARIABLE_DOCUMENT", "UPDATE", **value).code == "INVALID_ARGUMENT"


def test_what_a_scope_has_hides_what_is_outside_of_it_and_a_result_stays_inside(bench: Bench) -> None:
    inner = event_subprocess(inside("s > b", s=error_start(), b=task("b")), extensions=mapping({"v": "=v + 1"}))
    bench.deploy(draw("p", "start > a", start=start(), a=task("t"), e=inner))
    instance = bench.create(v=1)
    bench.throw(bench.jobs("t")[0], "E")
    assert bench.complete("b", v=9, w=1)["variables"] == {"v": 2}
    assert bench.results == {instance: {"v": 1, "w": 1}}


def test_an_end_event_has_output_mappings(bench: Bench) -> None:
    bench.deploy(draw("p", "start > end", start=start(), end=end(mapping(outputs={"outcome": '="fulfilled"'}))))
    instance = bench.create()
    assert bench.results[instance] == {"outcome": "fulfilled"}


def test_a_start_event_has_output_mappings(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a",
            message("m"),
            start=start(message="m", extensions=mapping(outputs={"o": "=x"})),
            a=task("t"),
        )
    )
    bench.publish("m", x=1, y=2)
    assert bench.job("t")["variables"] == {"o": 1}


def test_output_mappings_of_an_event_subprocess_let_out_of_its_variables(bench: Bench) -> None:
    inner = event_subprocess(
        inside("s > b", s=error_start(), b=task("b")),
        extensions=mapping({"local": "=1", "other": "=2"}, {"o": "=local"}),
    )
    bench.deploy(draw("p", "start > a", start=start(), a=task("t"), e=inner))
    instance = bench.create()
    bench.throw(bench.jobs("t")[0], "E")
    bench.complete("b", local=5)
    assert bench.results == {instance: {"o": 5}}


VALUES = [
    2**53,
    2**63 - 1,
    -(2**63),
    -1,
    1.5,
    "ü\u0000",
    "",
    [],
    {},
    None,
    True,
    False,
    [[1, {"a": [None]}]],
    "😀",
    '"\\/\b',
]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_survives_its_way_through_an_instance(bench: Bench, value: object) -> None:
    bench.deploy(one({"copy": "=v"}, {"out": "=copy"}))
    instance = bench.create(v=value)
    assert bench.complete("t")["variables"] == {"v": value, "copy": value}
    assert bench.results == {instance: {"v": value, "out": value}}


def test_names_that_are_no_names_of_expressions_are_kept(bench: Bench) -> None:
    bench.deploy(one())
    bench.create()
    names = {"field number 1": 1, "a-b": 2, "": 3, "ü\u0000": 4, '"': 5}
    assert result(bench, **names) == names


def test_of_a_name_that_is_given_twice_the_last_value_wins(bench: Bench) -> None:
    bench.deploy(draw("p", "start > a", start=start(), a=task("t")))
    bench.do("PROCESS_INSTANCE_CREATION", "CREATE", **creation(variables='{"a": 1, "a": 2}'))
    assert bench.job("t")["variables"] == {"a": 2}


def test_large_and_deep_values_are_accepted(bench: Bench) -> None:
    bench.deploy(one({"copy": "=v"}))
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    bench.create(v="x" * 1_600_000)
    assert len(bench.complete("t")["variables"]["copy"]) == 1_600_000
    bench.deploy(one())
    bench.create(v=deep)
    assert bench.complete("t")["variables"] == {"v": deep}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"])
def test_values_that_are_too_deep_are_refused(bench: Bench, text: str) -> None:
    bench.deploy(one())
    rejection = bench.refused("PROCESS_INSTANCE_CREATION", "CREATE", **creation(variables=text))
    assert rejection.code == "INVALID_ARGUMENT"
    assert len(rejection.reason) < 1000


@pytest.mark.parametrize(
    "text", ['{"a":"\ud800"}', '{"\udc00":1}', "\x00", '{"a":\x00}', '{"a":"\\ud800"}', "\ufeff{}"]
)
def test_text_that_is_not_unicode_is_refused_and_harms_nobody(bench: Bench, text: str) -> None:
    bench.deploy(one())
    rejection = bench.refused("PROCESS_INSTANCE_CREATION", "CREATE", **creation(variables=text))
    assert rejection.code == "INVALID_ARGUMENT"
    assert str(rejection).encode()


def test_variables_of_ended_scopes_have_scopes_of_their_own(bench: Bench) -> None:
    bench.deploy(one({"x": "=1"}))
    instance = bench.create()
    bench.complete("t")
    (record,) = bench.events("VARIABLE")
    assert record.value["scopeKey"] == bench.key_of("a") != instance
    assert record.value["processInstanceKey"] == instance


def test_variables_of_a_message_event_subprocess_go_into_the_scope_around_it(bench: Bench) -> None:
    inner = event_subprocess(inside("s > b", s=message_start("m", interrupting=False), b=task("b")))
    bench.deploy(draw("p", "start > a", message("m", "=k"), start=start(), a=task("t"), e=inner))
    instance = bench.create(k="1", v=1)
    bench.publish("m", "1", v=2, w=3)
    assert bench.job("b")["variables"] == {"k": "1", "v": 2, "w": 3}
    assert bench.variables(instance) == {"k": "1", "v": 2, "w": 3}
