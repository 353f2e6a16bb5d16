import json
from typing import Any

import pytest

from tests.engine.core.bench import Bench, creation
from tests.engine.drawing import (
    draw,
    end,
    inside,
    message,
    start,
    task,
)

P1 = draw("p", "start > a > end", start=start(), a=task("t"), end=end())
FIRST_KEY = 2251799813685249
FORM = json.dumps({"id": "f", "components": []}).encode()


def test_a_first_version_is_1_and_its_keys_are_of_partition_1(bench: Bench) -> None:
    deployed = bench.deploy(P1)
    assert deployed["deploymentKey"] == FIRST_KEY
    assert deployed["processesMetadata"] == [
        {"bpmnProcessId": "p", "version": 1, "processDefinitionKey": FIRST_KEY + 1, "resourceName": "process.bpmn"}
    ]


def test_what_was_deployed_last_is_not_deployed_again(bench: Bench) -> None:
    first, second = bench.deploy(P1), bench.deploy(P1)
    assert second["processesMetadata"] == first["processesMetadata"]
    assert second["deploymentKey"] > first["deploymentKey"]
    assert len(list(bench.events("PROCESS"))) == 1


def test_other_bytes_are_a_new_version_and_so_are_older_ones_again(bench: Bench) -> None:
    deployed = [bench.deploy(P1), bench.deploy(P1 + b"\n"), bench.deploy(P1)]
    assert [found["processesMetadata"][0]["version"] for found in deployed] == [1, 2, 3]


def test_the_same_bytes_under_another_name_are_a_new_version(bench: Bench) -> None:
    bench.deploy(P1)
    assert bench.deploy(P1, name="other.bpmn")["processesMetadata"][0]["version"] == 2


def test_where_one_of_two_resources_has_changed_both_become_new_versions(bench: Bench) -> None:
    other = draw("q", "start > end", start=start(), end=end())
    bench.deploy(P1, other)
    assert [found["version"] for found in bench.deploy(P1, other)["processesMetadata"]] == [1, 1]
    assert [found["version"] for found in bench.deploy(P1, other + b"\n")["processesMetadata"]] == [2, 2]


def test_one_invalid_resource_refuses_all(bench: Bench) -> None:
    bad = draw("q", "a > end", a=task("t"), end=end())
    assert "'1-process.bpmn'" in bench.refused_deployment(P1, bad)
    assert bench.refused("PROCESS_INSTANCE_CREATION", "CREATE", **creation("p")).code == "NOT_FOUND"


def test_a_deployment_of_nothing_is_refused(bench: Bench) -> None:
    assert bench.refused_deployment() == "Expected to deploy at least one resource, but none given"


def test_two_resources_of_one_process_id_are_refused_by_name(bench: Bench) -> None:
    reason = bench.refused_deployment(P1, P1 + b"\n")
    assert reason == (
        "Expected to deploy new resources, but encountered the following errors:\n"
        "Duplicated process id in resources '0-process.bpmn' and '1-process.bpmn'"
    )


def test_all_that_is_wrong_with_a_resource_is_told_at_once(bench: Bench) -> None:
    bad = draw("p", "start > a; start > b", start=start(), a=task(""), b=task("t", retries="many"))
    assert bench.refused_deployment(bad) == (
        "Expected to deploy new resources, but encountered the following errors:\n"
        "'0-process.bpmn': - Element: a > taskDefinition\n"
        "    - ERROR: Attribute 'type' must be present and not empty\n"
        "- Element: b > taskDefinition\n"
        "    - ERROR: Attribute 'retries' must be a whole number or an expression, but was 'many'"
    )


def test_a_file_of_several_processes_gives_one_entry_each_and_none_for_what_is_not_executable(bench: Bench) -> None:
    second = f'<bpmn:process id="q" isExecutable="true">{inside(begin=start())}</bpmn:process>'
    third = '<bpmn:process id="r" isExecutable="false"><bpmn:scriptTask id="s" /></bpmn:process>'
    deployed = bench.deploy(draw("p", beside=second + third, start=start()))
    assert [found["bpmnProcessId"] for found in deployed["processesMetadata"]] == ["p", "q"]
    for process in ("p", "q"):
        assert bench.fate(bench.create(process)) == "COMPLETED"


def test_none_and_message_start_live_together(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "none > a; by_message > b",
            message("m"),
            none=start(),
            by_message=start(message="m"),
            a=task("a"),
            b=task("b"),
        )
    )
    bench.create()
    bench.publish("m")
    assert (len(bench.jobs("a")), len(bench.jobs("b"))) == (1, 1)


def test_a_definition_that_is_wrong_and_unused_does_no_harm(bench: Bench) -> None:
    bench.deploy(draw("p", beside='<bpmn:message id="m" /><bpmn:error id="e" />', start=start()))


def test_a_form_has_versions_of_its_own(bench: Bench) -> None:
    first = bench.deploy(FORM, name="f.form")["formMetadata"][0]
    assert (first["formId"], first["version"], first["resourceName"]) == ("f", 1, "f.form")
    assert bench.deploy(FORM, name="f.form")["formMetadata"] == [first]
    assert bench.deploy(FORM + b" ", name="f.form")["formMetadata"][0]["version"] == 2


@pytest.mark.parametrize("form", [b"{", b"[]", b"{}", b'{"id": 7}', b'{"id": ""}', b"[" * 100_000, b"\xff"])
def test_a_form_without_id_is_refused(bench: Bench, form: bytes) -> None:
    assert "'0-f.form': " in bench.refused_deployment(form, name="f.form")


def _delete(key: int) -> dict[str, Any]:
    return {"resourceKey": key}


def test_a_definition_with_running_instances_is_not_deleted(bench: Bench) -> None:
    key = bench.deploy(P1)["processesMetadata"][0]["processDefinitionKey"]
    bench.create()
    assert bench.refused("RESOURCE_DELETION", "DELETE", **_delete(key)).code == "INVALID_STATE"
    bench.complete("t")
    bench.do("RESOURCE_DELETION", "DELETE", **_delete(key))
    assert bench.refused("PROCESS_INSTANCE_CREATION", "CREATE", **creation("p")).code == "NOT_FOUND"
    assert bench.refused("RESOURCE_DELETION", "DELETE", **_delete(key)).code == "NOT_FOUND"
    assert bench.deploy(P1)["processesMetadata"][0]["version"] == 2


def test_where_the_latest_version_is_deleted_the_one_before_it_is_started(bench: Bench) -> None:
    def by(name: str) -> bytes:
        return draw("p", "start > a; none > a", message(name), start=start(message=name), none=start(), a=task(name))

    bench.deploy(by("one"))
    second = bench.deploy(by("two"))["processesMetadata"][0]["processDefinitionKey"]
    bench.publish("one")
    assert bench.jobs("one") == []
    bench.do("RESOURCE_DELETION", "DELETE", **_delete(second))
    bench.publish("two")
    bench.create()
    bench.publish("one")
    assert (len(bench.jobs("one")), len(bench.jobs("two"))) == (2, 0)


def test_a_form_is_deleted(bench: Bench) -> None:
    key = bench.deploy(FORM, name="f.form")["formMetadata"][0]["formKey"]
    bench.do("RESOURCE_DELETION", "DELETE", **_delete(key))
    assert bench.refused("RESOURCE_DELETION", "DELETE", **_delete(key)).code == "NOT_FOUND"
