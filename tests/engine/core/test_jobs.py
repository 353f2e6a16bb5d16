from typing import Any

import pytest

from tests.engine.core.bench import Bench
from tests.engine.drawing import draw, end, mapping, start, task

ONE = draw("p", "start > a > end", start=start(), a=task("t"), end=end())


@pytest.fixture
def one(bench: Bench) -> Bench:
    """A process of one task of type t, with an instance of it."""
    bench.deploy(ONE)
    bench.create(n=1)
    return bench


def test_a_job_says_what_it_is_about(one: Bench) -> None:
    job = one.job("t")
    assert job["elementId"] == "a"
    assert job["retries"] == 3
    assert job["customHeaders"] == "{}"
    assert job["deadline"] == one.now + 60_000
    assert job["variables"] == {"n": 1}
    assert job["processInstanceKey"] < job["elementInstanceKey"] < job["key"]


def test_jobs_are_leased_in_the_order_of_their_creation(bench: Bench) -> None:
    bench.deploy(ONE)
    for n in range(5):
        bench.create(n=n)
    assert [job["variables"]["n"] for job in bench.activate("t", 3)] == [0, 1, 2]
    assert [job["variables"]["n"] for job in bench.activate("t", 3)] == [3, 4]


def test_only_variables_that_are_asked_for_come_with_a_job(bench: Bench) -> None:
    bench.deploy(ONE)
    bench.create(a=1, b=2)
    bench.create(a=1, b=2)
    assert bench.activate("t", 1, 1000, "a")[0]["variables"] == {"a": 1}
    assert bench.activate("t", 1, 1000, "zz")[0]["variables"] == {}


def test_a_lease_that_runs_out_makes_the_job_activatable_again_with_its_retries(one: Bench) -> None:
    (first,) = one.activate("t", timeout=500)
    one.wait(499)
    assert one.activate("t") == []
    one.wait(1)
    assert one.job("t")["key"] == first["key"]


def test_an_older_job_comes_back_before_a_younger_one(bench: Bench) -> None:
    bench.deploy(ONE)
    first, second = bench.create(), bench.create()
    bench.activate("t", 1, 500)
    bench.wait(500)
    assert [job["processInstanceKey"] for job in bench.activate("t")] == [first, second]


def test_whoever_answers_first_after_a_timeout_wins(one: Bench) -> None:
    (job,) = one.activate("t", timeout=500)
    one.wait(500)
    one.do("JOB", "COMPLETE", job["key"], variables="{}")
    assert one.refused("JOB", "COMPLETE", job["key"], variables="{}").code == "NOT_FOUND"


def test_a_job_needs_no_lease_to_be_completed(one: Bench) -> None:
    (created,) = one.events("JOB", "CREATED")
    one.do("JOB", "COMPLETE", created.key, variables="")
    assert one.fate(created.value["processInstanceKey"]) == "COMPLETED"


def test_a_failed_job_with_retries_is_activatable_at_once_and_may_be_pushed(one: Bench) -> None:
    job = one.job("t")
    answer = one.send("JOB", "FAIL", job["key"], retries=2, retryBackoff=0, errorMessage="", variables="")
    assert answer.activatable == [("t", job["key"])]
    assert one.job("t")["retries"] == 2


def test_a_backoff_is_waited_for(one: Bench) -> None:
    job = one.job("t")
    one.fail(job["key"], 1, backoff=1000)
    one.wait(999)
    assert one.activate("t") == []
    assert "it is in state 'FAILED'" in one.refused("JOB", "COMPLETE", job["key"], variables="{}").reason
    one.wait(1)
    assert one.job("t")["retries"] == 1


def test_without_retries_a_job_becomes_an_incident_and_takes_no_answers(one: Bench) -> None:
    job = one.job("t")
    one.fail(job["key"], 0, "boom")
    (incident,) = one.incidents()
    assert (incident["errorType"], incident["errorMessage"], incident["jobKey"]) == (
        "JOB_NO_RETRIES",
        "boom",
        job["key"],
    )
    failing: dict[str, Any] = {"retries": 1, "retryBackoff": 0, "errorMessage": "", "variables": ""}
    throwing: dict[str, Any] = {"errorCode": "x", "errorMessage": "", "variables": ""}
    assert one.refused("JOB", "COMPLETE", job["key"], variables="{}").code == "INVALID_STATE"
    assert one.refused("JOB", "FAIL", job["key"], **failing).code == "INVALID_STATE"
    assert one.refused("JOB", "THROW_ERROR", job["key"], **throwing).code == "INVALID_STATE"
    assert one.activate("t") == []


def test_an_incident_without_a_text_says_that_no_retries_are_left(one: Bench) -> None:
    one.fail(one.job("t")["key"], 0)
    assert one.incidents()[0]["errorMessage"] == "No more retries left."


def test_an_incident_of_a_job_is_resolved_once_the_job_has_retries(one: Bench) -> None:
    job = one.job("t")
    one.fail(job["key"], 0, "boom")
    (incident,) = one.incidents()
    assert "has no retries left" in one.refused("INCIDENT", "RESOLVE", incident["key"]).reason
    one.do("JOB", "UPDATE_RETRIES", job["key"], retries=2)
    assert one.activate("t") == []
    answer = one.send("INCIDENT", "RESOLVE", incident["key"])
    assert answer.activatable == [("t", job["key"])]
    assert one.refused("INCIDENT", "RESOLVE", incident["key"]).code == "NOT_FOUND"
    assert one.job("t")["retries"] == 2
    one.fail(job["key"], 0, "again")
    (again,) = one.incidents()
    assert again["key"] > incident["key"]


@pytest.mark.parametrize("retries", [0, -1])
def test_retries_are_set_to_more_than_nothing(one: Bench, retries: int) -> None:
    assert one.refused("JOB", "UPDATE_RETRIES", one.job("t")["key"], retries=retries).code == "INVALID_ARGUMENT"


def test_variables_of_a_failed_job_are_seen_by_the_next_try_and_by_nobody_else(one: Bench) -> None:
    one.fail(one.job("t")["key"], 1, x=1)
    assert one.complete("t")["variables"] == {"n": 1, "x": 1}
    assert list(one.results.values()) == [{"n": 1}]


def test_a_lease_is_made_longer_or_shorter_from_now_on(one: Bench) -> None:
    (created,) = one.events("JOB", "CREATED")
    assert one.refused("JOB", "UPDATE_TIMEOUT", created.key, timeout=1).code == "INVALID_STATE"
    (job,) = one.activate("t", timeout=1000)
    one.do("JOB", "UPDATE_TIMEOUT", job["key"], timeout=5000)
    one.wait(4999)
    assert one.activate("t") == []
    one.do("JOB", "UPDATE_TIMEOUT", job["key"], timeout=10)
    one.wait(10)
    assert one.job("t")["key"] == job["key"]


def test_a_job_that_is_given_back_waits_for_a_poll_and_is_not_pushed(one: Bench) -> None:
    job = one.job("t")
    answer = one.send("JOB", "YIELD", job["key"])
    assert answer.activatable == []
    assert one.job("t")["key"] == job["key"]


def test_a_push_leases_exactly_the_job_that_is_named(bench: Bench) -> None:
    bench.deploy(ONE)
    bench.create(n=0)
    answer = bench.send(
        "PROCESS_INSTANCE_CREATION", "CREATE", bpmnProcessId="p", version=-1, processDefinitionKey=-1, variables="{}"
    )
    ((_, key),) = answer.activatable
    lease: dict[str, Any] = {"type": "t", "worker": "w", "timeout": 1000, "maxJobsToActivate": 1}
    pushed = bench.do("JOB_BATCH", "ACTIVATE", **lease, jobKeys=[key])
    assert [job["key"] for job in pushed["jobs"]] == [key]
    assert bench.do("JOB_BATCH", "ACTIVATE", **lease, jobKeys=[key])["jobs"] == []


def test_variables_that_are_too_large_for_one_batch_are_spread_over_several(bench: Bench) -> None:
    bench.deploy(ONE)
    for _ in range(3):
        bench.create(small=1, large="x" * 1_500_000)
    assert len(bench.activate("t")) == 2
    assert len(bench.activate("t")) == 1
    for job in list(bench.events("JOB", "CREATED")):
        bench.fail(job.key, 1)
    assert len(bench.activate("t", 10, 1000, "small")) == 3


def test_a_job_that_is_too_large_alone_is_an_incident_until_its_variables_are_smaller(bench: Bench) -> None:
    bench.deploy(ONE)
    instance = bench.create(a="x" * 3_000_000, b="x" * 3_000_000)
    assert bench.activate("t") == []
    (incident,) = bench.incidents()
    assert incident["errorType"] == "MESSAGE_SIZE_EXCEEDED"
    bench.set_variables(instance, a="", b="")
    bench.do("INCIDENT", "RESOLVE", incident["key"])
    assert bench.job("t")["variables"] == {"a": "", "b": ""}


def test_type_and_retries_may_be_expressions(bench: Bench) -> None:
    bench.deploy(draw("p", "start > a", start=start(), a=task('="t-" + x', retries="=tries")))
    bench.create(x="1", tries=7)
    assert bench.job("t-1")["retries"] == 7


def test_a_type_that_is_no_text_is_an_incident_that_can_be_put_right(bench: Bench) -> None:
    bench.deploy(draw("p", "start > a", start=start(), a=task("=x")))
    instance = bench.create(x=1)
    (incident,) = bench.incidents()
    assert incident["errorType"] == "EXTRACT_VALUE_ERROR"
    assert "to be 'STRING', but was 'NUMBER'" in incident["errorMessage"]
    bench.set_variables(instance, x="t")
    bench.do("INCIDENT", "RESOLVE", incident["key"])
    bench.complete("t")
    assert bench.fate(instance) == "COMPLETED"


def test_headers_come_with_the_job(bench: Bench) -> None:
    headers = '<zeebe:taskHeaders><zeebe:header key="k" value="v" /></zeebe:taskHeaders>'
    bench.deploy(draw("p", "start > a", start=start(), a=task("t", extensions=headers + mapping())))
    bench.create()
    assert bench.job("t")["customHeaders"] == '{"k":"v"}'
