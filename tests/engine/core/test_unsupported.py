import pytest

from tests.engine.core.bench import Bench
from tests.engine.drawing import (
    draw,
    element,
    end,
    start,
    task,
)

_TWO = {"start": start(), "a": task("t"), "end": end()}
_ROW = "start > a > end"


UNSUPPORTED = {
    "AdHocSubProcess": element("adHocSubProcess"),
    "Transaction": element("transaction"),
    "ComplexGateway": element("complexGateway"),
    "InclusiveGateway": element("inclusiveGateway"),
    "IntermediateCatchEvent' with a definition of type 'signal": element(
        "intermediateCatchEvent", content="<bpmn:signalEventDefinition />"
    ),
    "EndEvent' with a definition of type 'escalation": end(content="<bpmn:escalationEventDefinition />"),
    "BoundaryEvent' with a definition of type 'signal": element(
        "boundaryEvent", attributes='attachedToRef="t"', content="<bpmn:signalEventDefinition />"
    ),
    "StandardLoopCharacteristics": task("x").replace(
        "</bpmn:service", "<bpmn:standardLoopCharacteristics /></bpmn:service"
    ),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_an_element_that_the_engine_lacks_is_refused_with_a_hint(bench: Bench, kind: str) -> None:
    reason = bench.refused_deployment(draw("p", "start > t", start=start(), t=task("t"), x=UNSUPPORTED[kind]))
    assert f"Element: x\n    - ERROR: Elements of type '{kind}' are currently not supported." in reason
    assert "The embedded engine does not run it; a Camunda 8 cluster may." in reason


def test_a_flow_to_an_element_that_the_engine_lacks_is_no_finding_of_its_own(bench: Bench) -> None:
    unsupported = element("inclusiveGateway")
    reason = bench.refused_deployment(draw("p", "start > x > end", start=start(), x=unsupported, end=end()))
    assert reason.count("ERROR") == 1


def test_a_job_based_user_task_is_refused_with_a_hint(bench: Bench) -> None:
    reason = bench.refused_deployment(draw("p", "start > a", start=start(), a=element("userTask")))
    assert "User tasks without the extension element 'zeebe:userTask'" in reason


@pytest.mark.parametrize("extension", ["executionListeners", "loopCharacteristics", "taskListeners", "whoKnows"])
def test_an_extension_that_could_change_the_execution_is_refused(bench: Bench, extension: str) -> None:
    drawn = draw("p", _ROW, **{**_TWO, "a": task("t", extensions=f"<zeebe:{extension} />")})
    assert f"Extension elements 'zeebe:{extension}' are currently not supported here." in bench.refused_deployment(
        drawn
    )
    drawn = draw(
        "p",
        "start > end",
        start=start(),
        end=end(),
        x=f"<bpmn:extensionElements><zeebe:{extension} /></bpmn:extensionElements>",
    )
    assert f"'zeebe:{extension}'" in bench.refused_deployment(drawn)


def test_notes_for_people_and_tools_are_ignored(bench: Bench) -> None:
    notes = (
        '<zeebe:properties><zeebe:property name="a" value="b" /></zeebe:properties>'
        '<other:thing xmlns:other="http://other" />'
    )
    drawn = draw(
        "p",
        _ROW,
        **{**_TWO, "a": task("t", extensions=notes, attributes='zeebe:modelerTemplate="x"')},
        text="<bpmn:textAnnotation id='ID'><bpmn:text>x</bpmn:text></bpmn:textAnnotation>",
        group='<bpmn:group id="ID" />',
        data='<bpmn:dataObjectReference id="ID" />',
        lanes='<bpmn:laneSet id="ID"><bpmn:lane id="lane" /></bpmn:laneSet>',
        note="<bpmn:documentation>x</bpmn:documentation>",
        beside='<bpmn:collaboration id="c"><bpmn:participant id="pool" processRef="p" /></bpmn:collaboration>',
    )
    bench.deploy(drawn)
    bench.create()
    bench.complete("t")


@pytest.mark.parametrize("sequential", ['isSequential="true"', ""])
def test_a_loop_one_after_the_other_or_until_a_condition_is_refused_with_a_hint(bench: Bench, sequential: str) -> None:
    condition = "" if sequential else "<bpmn:completionCondition>=true</bpmn:completionCondition>"
    loop = f"<bpmn:multiInstanceLoopCharacteristics {sequential}>{condition}</bpmn:multiInstanceLoopCharacteristics>"
    repeated = task("x").replace("</bpmn:service", f"{loop}</bpmn:service")
    reason = bench.refused_deployment(draw("p", "start > a", start=start(), a=repeated))
    assert "Sequential multi-instance activities, and those with a completion condition, are currently" in reason
