import pytest

from tests.engine.core.bench import Bench
from tests.engine.drawing import condition, draw, end, gateway, start, task


def forked(*, default: str = "", **conditions: str) -> bytes:
    """A gateway before tasks by their names; that of the default flow has no condition unless one is given."""
    names = {*conditions, default} - {""}
    flows = {f"flow_{name}": condition("g", name, text) for name, text in conditions.items() if text}
    plain = "; ".join(f"g > {name}" for name in sorted(names) if not conditions.get(name))
    tasks = {name: task(name) for name in sorted(names)}
    return draw("p", f"start > g; {plain}", start=start(), g=gateway(default), **tasks, **flows)


@pytest.mark.parametrize(("a", "path"), [(9, "big"), (1, "small")])
def test_a_condition_decides_and_else_the_default_flow(bench: Bench, a: int, path: str) -> None:
    bench.deploy(forked(big="=a > 5", default="small"))
    bench.create(a=a)
    assert len(bench.jobs(path)) == 1


def test_the_first_condition_in_the_order_of_the_diagram_wins(bench: Bench) -> None:
    bench.deploy(forked(z="=true", b="=true"))
    bench.create()
    assert (len(bench.jobs("z")), len(bench.jobs("b"))) == (1, 0)


def test_without_a_true_condition_and_a_default_there_is_an_incident_that_can_be_resolved(bench: Bench) -> None:
    bench.deploy(forked(one="=a > 5", two="=a < 0"))
    instance = bench.create(a=1)
    incident = bench.incident()
    assert (incident["errorType"], incident["elementId"]) == ("CONDITION_ERROR", "g")
    assert incident["errorMessage"] == (
        "Expected at least one condition to evaluate to true, or to have a default flow"
    )
    bench.resolve()
    assert bench.incident()["key"] > incident["key"]
    bench.set_variables(instance, a=9)
    bench.resolve()
    bench.complete("one")
    activated = [r.key for r in bench.events("PROCESS_INSTANCE", "ELEMENT_ACTIVATED") if r.value["elementId"] == "g"]
    assert activated == [incident["elementInstanceKey"]]


def test_a_condition_that_is_no_boolean_is_an_incident_that_says_why(bench: Bench) -> None:
    bench.deploy(forked(one="=a > 5", default="two"))
    bench.create()
    incident = bench.incident()
    assert incident["errorType"] == "EXTRACT_VALUE_ERROR"
    assert "Expected result of the expression 'a > 5' to be 'BOOLEAN', but was 'NULL'." in incident["errorMessage"]
    assert "[NO_VARIABLE_FOUND] No variable found with name 'a'" in incident["errorMessage"]


def test_a_missing_variable_equals_null(bench: Bench) -> None:
    bench.deploy(forked(one="=a = null", default="two"))
    bench.create()
    assert len(bench.jobs("one")) == 1
    bench.deploy(forked(one="=x.y.z = null", default="two"))
    bench.create()
    assert len(bench.jobs("one")) == 2


def test_not_of_a_missing_variable_is_an_incident(bench: Bench) -> None:
    bench.deploy(forked(one="=not(a)", default="two"))
    bench.create()
    assert bench.incident()["errorType"] == "EXTRACT_VALUE_ERROR"


def test_a_condition_on_the_default_flow_is_not_evaluated(bench: Bench) -> None:
    bench.deploy(forked(one="=assert(null, false)", two="=a", default="one"))
    bench.create(a=True)
    assert len(bench.jobs("two")) == 1
    bench.create(a=False)
    assert len(bench.jobs("one")) == 1


def test_two_tokens_pass_a_gateway_twice(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a; start > b; a > g; b > g; g > c",
            start=start(),
            a=task("t"),
            b=task("t"),
            g=gateway(),
            c=task("c"),
        )
    )
    bench.create()
    for key in bench.jobs("t"):
        bench.do("JOB", "COMPLETE", key, variables="{}")
    assert len(bench.jobs("c")) == 2


def test_one_flow_without_condition_is_taken(bench: Bench) -> None:
    bench.deploy(draw("p", "start > g > end", start=start(), g=gateway(), end=end()))
    assert bench.fate(bench.create()) == "COMPLETED"


def test_a_gateway_without_flows_ends_its_path(bench: Bench) -> None:
    bench.deploy(draw("p", "start > g", start=start(), g=gateway()))
    assert bench.fate(bench.create()) == "COMPLETED"
