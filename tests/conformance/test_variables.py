"""Section 4: scopes, mappings and values."""

import pytest
from grpc import StatusCode

from tests.conformance.diagrams import draw, one_task
from tests.conformance.zeebe import Zeebe, refused, variables_of
from tests.engine.drawing import end, inside, mapping, start, subprocess, task


@pytest.fixture
def t(zeebe: Zeebe) -> str:
    """The type of the one task's job."""
    return zeebe.name("t")


@pytest.mark.case(50, "d")
async def test_a_job_updates_the_instances_variables_and_adds_to_them(zeebe: Zeebe, t: str) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(one_task(p, t))
    result = zeebe.result(p, a=1)
    await zeebe.complete_next(t, a=2, b=3)
    assert await result == {"a": 2, "b": 3}


@pytest.mark.case(51, "d")
async def test_an_input_mapping_is_seen_by_the_job_and_by_nobody_else(zeebe: Zeebe, t: str) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(one_task(p, t, mapping({"x": "=a"})))
    result = zeebe.result(p, a=1)
    job = await zeebe.job(t)
    assert variables_of(job) == {"a": 1, "x": 1}
    await zeebe.complete(job, x=9)
    assert await result == {"a": 1}


@pytest.mark.case(52, "d")
async def test_an_output_mapping_lets_through_what_it_names(zeebe: Zeebe, t: str) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(one_task(p, t, mapping(outputs={"o": "=r.v"})))
    result = zeebe.result(p)
    await zeebe.complete_next(t, r={"v": 1}, z=2)
    assert await result == {"o": 1}


@pytest.mark.case(53, "d")
async def test_a_missing_variable_is_null_for_an_input_mapping(zeebe: Zeebe, t: str) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(one_task(p, t, mapping({"x": "=missing"})))
    await zeebe.create(p)
    assert variables_of(await zeebe.job(t)) == {"x": None}


@pytest.mark.case("53b", "s")
async def test_an_input_mapping_that_fails_is_an_incident_that_can_be_put_right(zeebe: Zeebe, t: str) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(one_task(p, t, mapping({"x": "=assert(m, m != null)"})))
    instance = await zeebe.create(p)
    incident = await zeebe.incident(instance)
    assert (incident["errorType"], incident["jobKey"]) == ("IO_MAPPING_ERROR", None)
    assert await zeebe.jobs(t) == []
    await zeebe.set(incident["elementInstanceKey"], m=1)
    await zeebe.resolve(incident)
    assert variables_of(await zeebe.job(t))["x"] == 1


@pytest.mark.case(54, "s")
async def test_output_mappings_are_applied_all_or_none(zeebe: Zeebe, t: str) -> None:
    p, other = zeebe.names("p", "other")
    # Only an expression that fails because of its own check gives an incident.
    mapped = mapping(outputs={"first": "=1", "second": "=assert(m, m != null)"})
    flows = "start > task > end; start > c > end"
    drawn = draw(p, flows, start=start(), task=task(t, extensions=mapped), c=task(other), end=end())
    await zeebe.deploy(drawn)
    result = zeebe.result(p)
    job = await zeebe.complete_next(t)
    incident = await zeebe.incident(job.processInstanceKey)
    assert incident["errorType"] == "IO_MAPPING_ERROR"
    beside = await zeebe.job(other)
    assert variables_of(beside) == {}
    await zeebe.element(job.processInstanceKey, "task", "ACTIVE")
    await zeebe.set(job.processInstanceKey, m=1)
    await zeebe.resolve(incident)
    await zeebe.complete(beside)
    assert await result == {"m": 1, "first": 1, "second": 1}


@pytest.mark.case(55, "d")
async def test_the_target_of_an_output_mapping_keeps_the_objects_other_properties(zeebe: Zeebe, t: str) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(one_task(p, t, mapping(outputs={"o.a": "=1"})))
    result = zeebe.result(p, o={"b": 1})
    await zeebe.complete_next(t)
    assert await result == {"o": {"a": 1, "b": 1}}


@pytest.mark.case(56, "d")
async def test_a_variable_is_set_in_a_scope_or_where_its_name_is(zeebe: Zeebe, t: str) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(one_task(p, t))
    result = zeebe.result(p)
    job = await zeebe.job(t)
    await zeebe.set(job.elementInstanceKey, local=True, here=1)
    await zeebe.set(job.elementInstanceKey, everywhere=2)
    await zeebe.fail(job, 1)
    again = await zeebe.job(t)
    assert variables_of(again) == {"here": 1, "everywhere": 2}
    await zeebe.complete(again)
    assert await result == {"everywhere": 2}


@pytest.mark.case(57, "t")
async def test_no_variables_can_be_set_in_what_runs_and_in_nothing_that_ended(zeebe: Zeebe, t: str) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(one_task(p, t))
    instance = await zeebe.create(p)
    await zeebe.set(instance)
    await zeebe.complete_next(t)
    await zeebe.ended(instance)
    await refused(zeebe.set(instance, a=1), StatusCode.NOT_FOUND, str(instance))


@pytest.mark.case(58, "d")
async def test_a_subprocess_has_variables_of_its_own(zeebe: Zeebe, t: str) -> None:
    p = zeebe.name("p")
    content = inside("in > a > out", **{"in": start(), "a": task(t), "out": end()})
    drawn = draw(p, "start > s > end", start=start(), s=subprocess(content, mapping({"v": "=1"})), end=end())
    await zeebe.deploy(drawn)
    result = zeebe.result(p, v=0)
    job = await zeebe.job(t)
    assert variables_of(job) == {"v": 1}
    await zeebe.complete(job, v=2)
    assert await result == {"v": 0}


@pytest.mark.case(59, "t")
async def test_values_survive_a_round_trip(zeebe: Zeebe, t: str) -> None:
    p = zeebe.name("p")
    values = [2**53, -1, 1.5, "ü\0", [], {}, None, True, (1 << 63) - 1, [{"a": [None]}]]
    await zeebe.deploy(one_task(p, t))
    result = zeebe.result(p, created=values)
    job = await zeebe.job(t)
    assert variables_of(job) == {"created": values}
    await zeebe.complete(job, completed=values)
    assert await result == {"created": values, "completed": values}


@pytest.mark.case(60, "t")
async def test_names_with_spaces_survive(zeebe: Zeebe, t: str) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(one_task(p, t))
    result = zeebe.result(p)
    await zeebe.complete_next(t, **{"field number 1": 1, "a-b": 2})
    assert await result == {"field number 1": 1, "a-b": 2}


@pytest.mark.case(149, "s")
async def test_variables_of_a_scope_that_ended_are_found_with_its_key(zeebe: Zeebe, t: str) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(one_task(p, t, mapping({"x": "=1"})))
    instance = await zeebe.create(p)
    job = await zeebe.complete_next(t)
    await zeebe.ended(instance)
    (variable,) = await zeebe.found("variables", processInstanceKey=instance, name="x")
    assert (variable["scopeKey"], variable["value"]) == (str(job.elementInstanceKey), "1")
