"""Sections 3 and 5: gateways, conditions and what null does to them."""

import pytest

from tests.conformance.diagrams import draw, fork
from tests.conformance.zeebe import Zeebe
from tests.engine.drawing import condition, element, end, gateway, mapping, start, task


def choice(process: str, expression: str, *, default: bool = True, **more: str) -> bytes:
    """Draw a gateway: `yes` if the expression is true, else `no`, which is the default flow or has no chance."""
    no = {} if default else {"no-way": condition("g", "no", "=false")}
    ways = {"yes-way": condition("g", "yes", expression), **no}
    return draw(
        process,
        "start > g" + ("; g > no" if default else ""),
        start=start(),
        g=gateway("no" if default else ""),
        yes=end(mapping(outputs={"way": '="yes"'})),
        no=end(mapping(outputs={"way": '="no"'})),
        **ways,
        **more,
    )


@pytest.mark.case(61, "d")
async def test_a_gateway_takes_the_condition_that_is_true_or_else_the_default(zeebe: Zeebe) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(choice(p, "=a > 5"))
    assert (await zeebe.result(p, a=9))["way"] == "yes"
    assert (await zeebe.result(p, a=1))["way"] == "no"


@pytest.mark.case(62, "s")
async def test_a_gateway_without_way_out_is_an_incident_that_can_be_put_right(zeebe: Zeebe) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(choice(p, "=a > 5", default=False))
    instance = await zeebe.create(p, a=1)
    incident = await zeebe.incident(instance)
    assert (incident["errorType"], incident["elementId"]) == ("CONDITION_ERROR", "g")
    await zeebe.set(instance, a=9)
    await zeebe.resolve(incident)
    await zeebe.elements(instance, "yes")
    await zeebe.ended(instance)


@pytest.mark.case(63, "s")
async def test_a_condition_that_is_null_is_an_incident_that_names_the_variable(zeebe: Zeebe) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(choice(p, "=amount > 5", default=False))
    incident = await zeebe.incident(await zeebe.create(p))
    assert incident["errorType"] == "EXTRACT_VALUE_ERROR"
    for word in ("BOOLEAN", "NULL", "'amount'"):
        assert word in incident["errorMessage"]


@pytest.mark.case(64, "d")
async def test_a_missing_variable_is_null(zeebe: Zeebe) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(choice(p, "=a = null"))
    assert (await zeebe.result(p))["way"] == "yes"


@pytest.mark.case(65, "d")
async def test_a_property_of_something_missing_is_null_and_the_negation_of_null_is_no_condition(zeebe: Zeebe) -> None:
    p, q = zeebe.names("p", "q")
    await zeebe.deploy(choice(p, "=x.y.z = null"), choice(q, "=not(a)"))
    assert (await zeebe.result(p))["way"] == "yes"
    assert (await zeebe.incident(await zeebe.create(q)))["errorType"] == "EXTRACT_VALUE_ERROR"


@pytest.mark.case(66, "s")
async def test_a_parallel_join_waits_for_every_path(zeebe: Zeebe) -> None:
    p, a, b, c = zeebe.names("p", "a", "b", "c")
    flows = "start > fork > a > join > c > end; fork > b > join"
    drawn = draw(p, flows, start=start(), fork=fork(), a=task(a), b=task(b), c=task(c), join=fork(), end=end())
    await zeebe.deploy(drawn)
    result = zeebe.result(p)
    first = await zeebe.complete_next(a)
    await zeebe.elements(first.processInstanceKey, "a")
    assert await zeebe.jobs(c) == []
    await zeebe.complete_next(b)
    await zeebe.complete_next(c)
    assert await result == {}


@pytest.mark.case(67, "s")
async def test_a_condition_on_the_default_flow_is_ignored(zeebe: Zeebe) -> None:
    p = zeebe.name("p")
    drawn = draw(
        p,
        "start > g",
        start=start(),
        g=gateway("no"),
        no_way=condition("g", "no", "=true"),
        yes_way=condition("g", "yes", "=a > 5"),
        yes=end(mapping(outputs={"way": '="yes"'})),
        no=end(mapping(outputs={"way": '="no"'})),
    )
    await zeebe.deploy(drawn)
    assert (await zeebe.result(p, a=9))["way"] == "yes"
    assert (await zeebe.result(p, a=1))["way"] == "no"


@pytest.mark.case(68, "d")
async def test_two_tokens_go_through_an_exclusive_gateway_one_by_one(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    flows = "start > fork > a > merge > b > end; fork > c > merge"
    passes = {"a": element("manualTask"), "c": element("manualTask"), "merge": element("exclusiveGateway")}
    await zeebe.deploy(draw(p, flows, start=start(), fork=fork(), **passes, b=task(t), end=end()))
    result = zeebe.result(p)
    for job in await zeebe.some_jobs(t, 2):
        await zeebe.complete(job)
    assert await result == {}


@pytest.mark.case(136, "s")
async def test_a_condition_that_is_null_is_an_incident_although_there_is_a_default(zeebe: Zeebe) -> None:
    p = zeebe.name("p")
    await zeebe.deploy(choice(p, "=a > 5"))
    incident = await zeebe.incident(await zeebe.create(p))
    assert (incident["errorType"], incident["elementId"]) == ("EXTRACT_VALUE_ERROR", "g")
