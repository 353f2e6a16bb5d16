"""Gateways, subprocesses, events, calls and loops: what diagrams have besides the elements of our own."""

import json

import pytest

from tests.engine.core.bench import Bench
from tests.engine.drawing import (
    awaits,
    boundary,
    call,
    catch,
    compensate,
    draw,
    element,
    end,
    error,
    error_boundary,
    error_start,
    event_subprocess,
    handler,
    inside,
    loop,
    mapping,
    message,
    start,
    subprocess,
    task,
    timer,
    undone_by,
)

TERMINATE = end(content='<bpmn:terminateEventDefinition id="terminate" />')

FORK = element("parallelGateway")


def test_a_parallel_join_waits_for_every_path(bench: Bench) -> None:
    flows = "start > fork > a > join > end; fork > b > join"
    bench.deploy(draw("p", flows, start=start(), fork=FORK, a=task("a"), b=task("b"), join=FORK, end=end()))
    instance = bench.create()
    bench.complete("a")
    assert bench.fate(instance) == "ACTIVE"
    bench.complete("b")
    assert bench.fate(instance) == "COMPLETED"
    assert bench.path(instance).count("join") == 1


def test_a_path_that_is_taken_twice_counts_once_for_a_join(bench: Bench) -> None:
    flows = "start > split > merge > a > join > end; split > merge; split > b > join"
    bench.deploy(
        draw(
            "p",
            flows.replace("split > merge; ", ""),
            start=start(),
            split=FORK,
            again='<bpmn:sequenceFlow id="again" sourceRef="split" targetRef="merge" />',
            merge=element("exclusiveGateway"),
            a=task("a"),
            b=task("b"),
            join=FORK,
            end=end(),
        )
    )
    instance = bench.create()
    for job in bench.activate("a"):
        bench.do("JOB", "COMPLETE", job["key"], variables="{}")
    bench.complete("b")
    assert bench.path(instance).count("join") == 1
    assert bench.fate(instance) == "ACTIVE"


def test_what_waits_at_a_join_ends_with_its_scope(bench: Bench) -> None:
    flows = "start > fork > a > join > end; fork > b > join"
    bench.deploy(draw("p", flows, start=start(), fork=FORK, a=task("a"), b=task("b"), join=FORK, end=end()))
    instance = bench.create()
    bench.complete("a")
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    assert bench.fate(instance) == "TERMINATED"


def test_a_variable_of_a_subprocess_hides_the_one_around_it(bench: Bench) -> None:
    content = inside("in > a > out", **{"in": start(), "a": task("t"), "out": end()})
    bench.deploy(draw("p", "start > s > end", start=start(), s=subprocess(content, mapping({"v": "=1"})), end=end()))
    instance = bench.create(v=0)
    bench.complete("t", v=2, w=3)
    assert bench.results[instance] == {"v": 0, "w": 3}


def test_a_subprocess_lets_out_what_its_output_mappings_name(bench: Bench) -> None:
    content = inside("in > a > out", **{"in": start(), "a": task("t"), "out": end()})
    mappings = mapping({"v": "=1"}, {"result": "=v"})
    bench.deploy(draw("p", "start > s > end", start=start(), s=subprocess(content, mappings), end=end()))
    instance = bench.create()
    bench.complete("t", v=2)
    assert bench.results[instance] == {"result": 2}


def test_an_error_end_event_in_a_subprocess_is_caught_at_its_boundary(bench: Bench) -> None:
    thrown = end(content='<bpmn:errorEventDefinition id="thrown" errorRef="E" />')
    content = inside("in > fork > boom; fork > a", **{"in": start(), "fork": FORK, "a": task("t"), "boom": thrown})
    bench.deploy(
        draw(
            "p",
            "start > s > end; caught > other",
            error("E"),
            start=start(),
            s=subprocess(content),
            caught=error_boundary("s", "E"),
            end=end(),
            other=end(),
        )
    )
    instance = bench.create()
    assert bench.activate("t") == []
    assert bench.fate(instance) == "COMPLETED"
    assert "other" in bench.path(instance)
    assert "boom" in bench.path(instance, "ELEMENT_TERMINATED")


def test_an_event_subprocess_inside_beats_the_boundary_of_the_subprocess(bench: Bench) -> None:
    handling = event_subprocess(inside("e > x", e=error_start("E"), x=end()))
    content = inside("in > a", **{"in": start(), "a": task("t"), "handling": handling})
    bench.deploy(
        draw(
            "p",
            "start > s > end; caught > other",
            error("E"),
            start=start(),
            s=subprocess(content),
            caught=error_boundary("s", "E"),
            end=end(),
            other=end(),
        )
    )
    instance = bench.create()
    bench.throw(bench.job("t")["key"], "E")
    assert "handling" in bench.path(instance)
    assert "end" in bench.path(instance)


def test_an_error_end_event_that_nobody_catches_is_an_incident_that_comes_back(bench: Bench) -> None:
    thrown = end(content='<bpmn:errorEventDefinition id="thrown" errorRef="E" />')
    bench.deploy(draw("p", "start > boom", error("E"), start=start(), boom=thrown))
    bench.create()
    (incident,) = bench.incidents()
    assert (incident["errorType"], incident["jobKey"]) == ("UNHANDLED_ERROR_EVENT", -1)
    bench.do("INCIDENT", "RESOLVE", incident["key"])
    (again,) = bench.incidents()
    assert again["key"] > incident["key"]


def test_a_terminate_end_event_ends_its_scope_and_no_other(bench: Bench) -> None:
    content = inside(
        "in > fork > a; fork > b > stop",
        **{"in": start(), "fork": FORK, "a": task("a"), "b": task("b"), "stop": TERMINATE},
    )
    bench.deploy(draw("p", "start > s > c > end", start=start(), s=subprocess(content), c=task("c"), end=end()))
    instance = bench.create()
    bench.complete("b")
    assert bench.activate("a") == []
    bench.complete("c")
    assert bench.fate(instance) == "COMPLETED"


def test_a_catch_event_takes_a_message_that_came_before_and_one_that_comes_after(bench: Bench) -> None:
    bench.deploy(
        draw("p", "start > wait > end", message("m", "=key"), start=start(), wait=catch(awaits("m")), end=end())
    )
    first, second = bench.create(key="1"), bench.create(key=2)
    bench.publish("m", "1", x=1)
    bench.publish("m", "2", x=2)
    assert bench.results[first]["x"] == 1
    assert bench.results[second]["x"] == 2
    bench.publish("m", "3", ttl=1000, x=3)
    assert bench.results[bench.create(key="3")]["x"] == 3


def test_a_receive_task_waits_for_its_message(bench: Bench) -> None:
    receive = element("receiveTask", attributes='messageRef="m"')
    bench.deploy(draw("p", "start > wait > end", message("m", "=key"), start=start(), wait=receive, end=end()))
    instance = bench.create(key="k")
    bench.publish("m", "k", x=1)
    assert bench.results[instance] == {"key": "k", "x": 1}


def test_a_message_boundary_interrupts_or_lets_the_task_go_on(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a > end; stop > other; note > third",
            message("stop", "=key") + message("note", "=key"),
            start=start(),
            a=task("t"),
            stop=boundary("a", awaits("stop").replace("awaits-", "awaits-b-")),
            note=boundary("a", awaits("note"), interrupting=False),
            end=end(),
            other=end(),
            third=end(),
        )
    )
    instance = bench.create(key="k")
    for n in range(3):
        bench.publish("note", "k", foo=n)
    assert bench.path(instance).count("third") == 3
    job = bench.job("t")
    assert job["variables"]["foo"] == 2
    bench.publish("stop", "k")
    assert bench.refused("JOB", "COMPLETE", job["key"], variables="{}").code == "NOT_FOUND"
    assert "other" in bench.path(instance)
    assert bench.fate(instance) == "COMPLETED"


@pytest.mark.parametrize(
    ("kind", "value"), [("duration", "PT1S"), ("date", "1970-01-01T00:16:41Z"), ("duration", '="PT1S"')]
)
def test_a_timer_fires_when_its_time_has_come_and_never_before(bench: Bench, kind: str, value: str) -> None:
    bench.deploy(draw("p", "start > wait > end", start=start(), wait=catch(timer(kind, value)), end=end()))
    instance = bench.create()
    bench.wait(999)
    assert bench.fate(instance) == "ACTIVE"
    bench.wait(1)
    assert bench.fate(instance) == "COMPLETED"


@pytest.mark.parametrize(
    ("kind", "value"), [("duration", "PT0S"), ("duration", "-PT1H"), ("date", "1969-01-01T00:00:00Z")]
)
def test_what_is_past_already_fires_at_once(bench: Bench, kind: str, value: str) -> None:
    bench.deploy(draw("p", "start > wait > end", start=start(), wait=catch(timer(kind, value)), end=end()))
    instance = bench.create()
    bench.wait(0)
    assert bench.fate(instance) == "COMPLETED"


def test_a_cycle_fires_as_often_as_it_says_while_the_task_goes_on(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a > end; tick > done",
            start=start(),
            a=task("t"),
            tick=boundary("a", timer("cycle", "R2/PT1S"), interrupting=False),
            end=end(),
            done=end(),
        )
    )
    instance = bench.create()
    for _ in range(4):
        bench.wait(1000)
    assert bench.path(instance).count("done") == 2
    bench.complete("t")
    assert bench.fate(instance) == "COMPLETED"


def test_an_interrupting_timer_takes_the_job_away(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a > end; late > other",
            start=start(),
            a=task("t"),
            late=boundary("a", timer("duration", "PT1S")),
            end=end(),
            other=end(),
        )
    )
    instance = bench.create()
    job = bench.job("t")
    bench.wait(1000)
    assert bench.refused("JOB", "COMPLETE", job["key"], variables="{}").code == "NOT_FOUND"
    assert "other" in bench.path(instance)


def test_a_time_that_is_none_is_an_incident_that_can_be_put_right(bench: Bench) -> None:
    bench.deploy(draw("p", "start > wait > end", start=start(), wait=catch(timer("duration", "=d")), end=end()))
    instance = bench.create(d="x")
    (incident,) = bench.incidents()
    assert incident["errorType"] == "EXTRACT_VALUE_ERROR"
    assert incident["errorMessage"] == "Invalid duration format 'x' for expression 'd'."
    bench.set_variables(instance, d="PT1S")
    bench.do("INCIDENT", "RESOLVE", incident["key"])
    bench.wait(1000)
    assert bench.fate(instance) == "COMPLETED"


def test_a_start_timer_starts_instances_until_a_new_version_comes(bench: Bench) -> None:
    by_timer = element("startEvent", content=timer("cycle", "R/PT1S"))
    bench.deploy(draw("p", "start > a", start=by_timer, a=task("t")))
    bench.wait(1000)
    bench.wait(1000)
    assert len(bench.activate("t")) == 2
    bench.deploy(draw("p", "start > a", start=start(), a=task("t")))
    bench.wait(5000)
    assert len(list(bench.events("JOB", "CREATED"))) == 2


def test_an_event_based_gateway_goes_the_way_of_the_first_event(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > g > got > end; g > late > other",
            message("m", "=key"),
            start=start(),
            g=element("eventBasedGateway"),
            got=catch(awaits("m")),
            late=catch(timer("duration", "PT1S")),
            end=end(),
            other=end(),
        )
    )
    by_message, by_time = bench.create(key="1"), bench.create(key="2")
    bench.publish("m", "1", x=1)
    bench.wait(1000)
    assert bench.results[by_message] == {"key": "1", "x": 1}
    assert bench.path(by_message)[-2:] == ["end", "p"]
    assert bench.path(by_time)[-2:] == ["other", "p"]


def test_a_called_instance_sees_the_variables_and_gives_its_own_back(bench: Bench) -> None:
    bench.deploy(draw("child", "start > a > end", start=start(), a=task("t"), end=end()))
    bench.deploy(draw("p", "start > c > end", start=start(), c=call("child"), end=end()), name="parent.bpmn")
    instance = bench.create(v=1)
    job = bench.job("t")
    assert job["variables"] == {"v": 1}
    assert job["processInstanceKey"] != instance
    refusal = bench.refused("PROCESS_INSTANCE", "CANCEL", job["processInstanceKey"])
    assert (refusal.code, str(instance) in refusal.reason) == ("INVALID_STATE", True)
    bench.do("JOB", "COMPLETE", job["key"], variables='{"w":2}')
    assert bench.results[instance] == {"v": 1, "w": 2}


def test_a_called_instance_keeps_its_variables_where_the_call_says_so(bench: Bench) -> None:
    bench.deploy(draw("child", "start > a > end", start=start(), a=task("t"), end=end()))
    closed = call(
        "child",
        attributes='propagateAllParentVariables="false" propagateAllChildVariables="false"',
        extensions=mapping({"only": "=v"}),
    )
    bench.deploy(draw("p", "start > c > end", start=start(), c=closed, end=end()), name="parent.bpmn")
    instance = bench.create(v=1)
    assert bench.complete("t", w=2)["variables"] == {"only": 1}
    assert bench.results[instance] == {"v": 1}


def test_a_process_that_is_not_there_is_an_incident_until_it_is_deployed(bench: Bench) -> None:
    bench.deploy(draw("p", "start > c > end", start=start(), c=call("child"), end=end()))
    instance = bench.create()
    (incident,) = bench.incidents()
    assert incident["errorType"] == "CALLED_ELEMENT_ERROR"
    bench.deploy(draw("child", "start > end", start=start(), end=end()), name="child.bpmn")
    bench.do("INCIDENT", "RESOLVE", incident["key"])
    assert bench.fate(instance) == "COMPLETED"


def test_an_error_goes_from_a_called_instance_to_who_has_called_it(bench: Bench) -> None:
    bench.deploy(draw("child", "start > a > end", start=start(), a=task("t"), end=end()))
    bench.deploy(
        draw(
            "p",
            "start > c > end; caught > other",
            error("E"),
            start=start(),
            c=call("child"),
            caught=error_boundary("c", "E"),
            end=end(),
            other=end(),
        ),
        name="parent.bpmn",
    )
    instance = bench.create()
    job = bench.job("t")
    bench.throw(job["key"], "E")
    assert bench.fate(job["processInstanceKey"]) == "TERMINATED"
    assert "other" in bench.path(instance)
    assert bench.fate(instance) == "COMPLETED"


def test_cancelling_cancels_what_was_called(bench: Bench) -> None:
    bench.deploy(draw("child", "start > a > end", start=start(), a=task("t"), end=end()))
    bench.deploy(draw("p", "start > c > end", start=start(), c=call("child"), end=end()), name="parent.bpmn")
    instance = bench.create()
    job = bench.job("t")
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    assert (bench.fate(instance), bench.fate(job["processInstanceKey"])) == ("TERMINATED", "TERMINATED")
    assert bench.refused("JOB", "COMPLETE", job["key"], variables="{}").code == "NOT_FOUND"


def test_a_loop_has_an_instance_for_each_item_and_collects_in_their_order(bench: Bench) -> None:
    bench.deploy(
        draw("p", "start > a > end", start=start(), a=loop(task("t"), "=items", "item", "=r", "all"), end=end())
    )
    instance = bench.create(items=["x", "y", "z"])
    jobs = bench.activate("t")
    assert [(job["variables"]["item"], job["variables"]["loopCounter"]) for job in jobs] == [
        ("x", 1),
        ("y", 2),
        ("z", 3),
    ]
    for job, result in zip(reversed(jobs), ({"r": "Z"}, {}, {"r": "X"}), strict=True):
        bench.do("JOB", "COMPLETE", job["key"], variables=json.dumps(result))
    assert bench.results[instance] == {"items": ["x", "y", "z"], "all": ["X", None, "Z"]}


def test_a_loop_over_nothing_is_done_at_once(bench: Bench) -> None:
    bench.deploy(
        draw("p", "start > a > end", start=start(), a=loop(task("t"), "=items", "item", "=r", "all"), end=end())
    )
    assert bench.results[bench.create(items=[])] == {"items": [], "all": []}


def test_a_loop_over_what_is_no_list_is_an_incident_of_its_body(bench: Bench) -> None:
    bench.deploy(draw("p", "start > a > end", start=start(), a=loop(task("t"), "=items"), end=end()))
    bench.create(items="x")
    (incident,) = bench.incidents()
    assert "to be 'ARRAY', but was 'STRING'" in incident["errorMessage"]


def test_an_error_in_one_instance_of_a_loop_ends_all_of_them(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a > end; caught > other",
            error("E"),
            start=start(),
            a=loop(task("t"), "=items", "item", "=r", "all"),
            caught=error_boundary("a", "E"),
            end=end(),
            other=end(),
        )
    )
    instance = bench.create(items=[1, 2, 3])
    first, second, third = bench.activate("t")
    bench.do("JOB", "COMPLETE", second["key"], variables='{"r":2}')
    bench.throw(first["key"], "E")
    assert bench.refused("JOB", "COMPLETE", third["key"], variables="{}").code == "NOT_FOUND"
    assert bench.results[instance] == {"items": [1, 2, 3]}


def test_a_loop_is_undone_once_for_all_of_its_instances(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a > undo",
            start=start(),
            a=loop(task("t"), "=items"),
            undo_a=handler("undo"),
            undo=compensate("", "endEvent"),
            **undone_by("a", "undo_a"),
        )
    )
    bench.create(items=[1, 2])
    for job in bench.activate("t"):
        bench.do("JOB", "COMPLETE", job["key"], variables="{}")
    assert len(bench.activate("undo")) == 1


def test_what_completed_in_a_completed_subprocess_is_undone_from_outside(bench: Bench) -> None:
    content = inside(
        "in > a > out",
        **{"in": start(), "a": task("t"), "out": end(), "undo_a": handler("undo")},
        **undone_by("a", "undo_a"),
    )
    bench.deploy(draw("p", "start > s > undo", start=start(), s=subprocess(content), undo=compensate("", "endEvent")))
    instance = bench.create()
    bench.complete("t")
    bench.complete("undo")
    assert bench.fate(instance) == "COMPLETED"


def test_a_thousand_items_do_not_keep_others_waiting(bench: Bench) -> None:
    bench.deploy(draw("p", "start > a > end", start=start(), a=loop(task("t"), "=items"), end=end()))
    bench.create(items=list(range(1000)))
    assert len(bench.activate("t", most=2000)) == 1000


@pytest.mark.parametrize("kind", ["manualTask", "task"])
def test_a_task_that_nobody_does_passes(bench: Bench, kind: str) -> None:
    bench.deploy(draw("p", "start > a > end", start=start(), a=element(kind), end=end()))
    assert bench.fate(bench.create()) == "COMPLETED"


@pytest.mark.parametrize("kind", ["sendTask", "scriptTask", "businessRuleTask"])
def test_other_tasks_are_jobs_too(bench: Bench, kind: str) -> None:
    job = element(kind, extensions='<zeebe:taskDefinition type="t" />')
    bench.deploy(draw("p", "start > a > end", start=start(), a=job, end=end()))
    instance = bench.create()
    bench.complete("t")
    assert bench.fate(instance) == "COMPLETED"


def test_a_message_that_is_thrown_is_a_job(bench: Bench) -> None:
    job = '<zeebe:taskDefinition type="t" />'
    throw = element("intermediateThrowEvent", extensions=job, content='<bpmn:messageEventDefinition id="thrown" />')
    bench.deploy(draw("p", "start > a > end", start=start(), a=throw, end=end()))
    instance = bench.create()
    bench.complete("t")
    assert bench.fate(instance) == "COMPLETED"
