"""Section 1, DeployResource: versions, duplicates, and what is refused."""

import time

import pytest
from grpc import StatusCode

from tests.conformance.diagrams import draw, one_task, passing
from tests.conformance.zeebe import Zeebe, refused
from tests.engine.drawing import (
    compensate,
    condition,
    element,
    end,
    error,
    error_boundary,
    gateway,
    handler,
    message,
    start,
    task,
    undone_by,
)

FIRST_KEY = 1 << 51
"""The smallest key of partition 1."""


@pytest.mark.case(1, "m")
async def test_a_new_process_has_version_1_and_keys_of_partition_1_and_the_default_tenant(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    deployed = await zeebe.deploy(("p.bpmn", one_task(p, t)))
    (process,) = (each.process for each in deployed.deployments)
    assert (process.bpmnProcessId, process.version, process.resourceName) == (p, 1, "p.bpmn")
    assert (process.tenantId, deployed.tenantId) == ("<default>", "<default>")
    assert FIRST_KEY <= deployed.key < 2 * FIRST_KEY
    assert FIRST_KEY <= process.processDefinitionKey < 2 * FIRST_KEY


@pytest.mark.case(2, "s")
async def test_the_same_bytes_under_the_same_name_stay_the_same_version(zeebe: Zeebe) -> None:
    file = ("p.bpmn", one_task(*zeebe.names("p", "t")))
    first, again = await zeebe.deploy(file), await zeebe.deploy(file)
    assert again.deployments[0].process == first.deployments[0].process
    assert again.key != first.key


@pytest.mark.case(3, "s")
async def test_each_change_is_a_version_and_going_back_is_one_too(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    old = one_task(p, t)
    versions = [
        (await zeebe.deploy(("p.bpmn", each))).deployments[0].process.version
        for each in (old, old.replace(b"</bpmn:process>", b"</bpmn:process>\n"), old)
    ]
    assert versions == [1, 2, 3]


@pytest.mark.case(4, "s")
async def test_another_resource_name_is_a_version(zeebe: Zeebe) -> None:
    drawn = one_task(*zeebe.names("p", "t"))
    await zeebe.deploy(("p.bpmn", drawn))
    assert (await zeebe.deploy(("q.bpmn", drawn))).deployments[0].process.version == 2


@pytest.mark.case("4b", "s")
async def test_one_changed_file_gives_all_files_of_its_request_a_version(zeebe: Zeebe) -> None:
    p, q, t = zeebe.names("p", "q", "t")
    await zeebe.deploy(("p.bpmn", passing(p)), ("q.bpmn", passing(q)))
    deployed = await zeebe.deploy(("p.bpmn", passing(p)), ("q.bpmn", one_task(q, t)))
    assert [each.process.version for each in deployed.deployments] == [2, 2]


@pytest.mark.case(5, "d")
async def test_one_invalid_file_refuses_all_of_them(zeebe: Zeebe) -> None:
    p, q = zeebe.names("p", "q")
    invalid = draw(q, "start > a", start=start(), a=element("serviceTask"))
    await refused(zeebe.deploy(passing(p), invalid), StatusCode.INVALID_ARGUMENT)
    await refused(zeebe.create(p), StatusCode.NOT_FOUND)


@pytest.mark.case(6, "s")
async def test_a_deployment_without_resources_is_refused(zeebe: Zeebe) -> None:
    await refused(zeebe.deploy(), StatusCode.INVALID_ARGUMENT)


@pytest.mark.case(7, "s")
async def test_two_files_with_one_process_id_are_refused_by_their_names(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    files = ("one.bpmn", passing(p)), ("two.bpmn", one_task(p, t))
    await refused(zeebe.deploy(*files), StatusCode.INVALID_ARGUMENT, "one.bpmn", "two.bpmn")


@pytest.mark.case(8, "s")
async def test_a_service_task_without_type_is_refused_by_its_id(zeebe: Zeebe) -> None:
    drawn = draw(zeebe.name("p"), "start > typeless > end", start=start(), typeless=element("serviceTask"), end=end())
    await refused(zeebe.deploy(drawn), StatusCode.INVALID_ARGUMENT, "typeless")


@pytest.mark.case(9, "s")
async def test_an_expression_that_cannot_be_parsed_is_refused_with_its_text(zeebe: Zeebe) -> None:
    drawn = draw(
        zeebe.name("p"),
        "start > g > other",
        start=start(),
        g=gateway("other"),
        end=end(),
        other=end(),
        way=condition("g", "end", "=a & b"),
    )
    await refused(zeebe.deploy(drawn), StatusCode.INVALID_ARGUMENT, "a & b")


@pytest.mark.case(10, "s")
async def test_a_compensation_handler_with_an_outgoing_flow_is_refused(zeebe: Zeebe) -> None:
    drawn = draw(
        zeebe.name("p"),
        "start > a > end; undo > other",
        start=start(),
        a=task("t"),
        undo=handler("t"),
        **undone_by("a", "undo"),
        end=end(),
        other=end(),
    )
    await refused(zeebe.deploy(drawn), StatusCode.INVALID_ARGUMENT, "undo")


@pytest.mark.case(11, "s")
async def test_a_non_interrupting_error_boundary_is_refused(zeebe: Zeebe) -> None:
    caught = error_boundary("a").replace("attachedToRef", 'cancelActivity="false" attachedToRef')
    drawn = draw(zeebe.name("p"), "start > a > end", start=start(), a=task("t"), caught=caught, end=end())
    await refused(zeebe.deploy(drawn), StatusCode.INVALID_ARGUMENT, "caught")


@pytest.mark.case(12, "s")
async def test_a_task_may_have_one_catch_all_error_boundary_and_no_second(zeebe: Zeebe) -> None:
    p = zeebe.name("p")
    flows, beside = "start > a > end", error("E")
    common = {"start": start(), "a": task("t"), "all": error_boundary("a"), "end": end()}
    two = draw(p, flows, beside, **common, second=error_boundary("a"))
    await refused(zeebe.deploy(two), StatusCode.INVALID_ARGUMENT)
    await zeebe.deploy(draw(p, flows, beside, **common, exact=error_boundary("a", "E")))


@pytest.mark.case(13, "m")
async def test_a_compensation_throw_that_does_not_wait_is_refused(zeebe: Zeebe) -> None:
    definition = "<bpmn:compensateEventDefinition"
    throw = compensate().replace(definition, f'{definition} waitForCompletion="false"')
    drawn = draw(zeebe.name("p"), "start > throw > end", start=start(), throw=throw, end=end())
    await refused(zeebe.deploy(drawn), StatusCode.INVALID_ARGUMENT)


@pytest.mark.case(14, "s")
async def test_a_process_without_start_event_is_refused(zeebe: Zeebe) -> None:
    drawn = draw(zeebe.name("p"), "a > end", a=task("t"), end=end())
    await refused(zeebe.deploy(drawn), StatusCode.INVALID_ARGUMENT)


@pytest.mark.case(15, "s")
async def test_a_file_without_executable_process_is_refused(zeebe: Zeebe) -> None:
    drawn = passing(zeebe.name("p")).replace(b'isExecutable="true"', b'isExecutable="false"')
    await refused(zeebe.deploy(drawn), StatusCode.INVALID_ARGUMENT)


@pytest.mark.case(16, "s")
async def test_xml_that_is_broken_is_refused(zeebe: Zeebe) -> None:
    await refused(zeebe.deploy(passing(zeebe.name("p"))[:-20]), StatusCode.INVALID_ARGUMENT)


@pytest.mark.case(17, "m")
async def test_a_process_may_have_a_none_start_and_a_message_start(zeebe: Zeebe) -> None:
    p, m, by_hand, by_message = zeebe.names("p", "m", "by-hand", "by-message")
    drawn = draw(
        p,
        "none > a; other > b",
        message(m),
        none=start(),
        other=start(message=m),
        a=task(by_hand),
        b=task(by_message),
    )
    await zeebe.deploy(drawn)
    await zeebe.create(p)
    await zeebe.job(by_hand)
    assert await zeebe.jobs(by_message) == []
    await zeebe.publish(m)
    await zeebe.job(by_message)
    assert await zeebe.jobs(by_hand) == []


@pytest.mark.case(148, "own")
async def test_a_document_type_is_refused_before_it_costs_anything(zeebe: Zeebe) -> None:
    laughs = b"".join(
        b'<!ENTITY a%d "%s">' % (level, b"&a%d;" % (level - 1) * 10 if level else b"ha") for level in range(10)
    )
    head, _, rest = passing(zeebe.name("p")).partition(b"?>")
    drawn = head + b"?><!DOCTYPE d [" + laughs + b"]>" + rest.replace(b'id="start"', b'id="start" name="&a9;"')
    begun = time.monotonic()
    await refused(zeebe.deploy(("laughs.bpmn", drawn)), StatusCode.INVALID_ARGUMENT, "laughs.bpmn")
    assert time.monotonic() - begun < 1
