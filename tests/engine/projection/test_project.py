"""Each kind of record in its table, and the same rows however the records are cut into batches."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from saga.engine.projection import SCHEMA, write
from tests.engine.projection.records import START, Story

Rows = list[dict[str, Any]]


@pytest.fixture
def tables() -> Iterator[sqlite3.Connection]:
    with closing(empty()) as connection:
        yield connection


def empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    for statement in SCHEMA:
        connection.execute(statement)
    return connection


def rows(connection: sqlite3.Connection, table: str) -> Rows:
    return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1")]  # noqa: S608 - our own tables


def everything(connection: sqlite3.Connection) -> dict[str, Rows]:
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name: rows(connection, name) for (name,) in names.fetchall()}


def long_story() -> Story:
    """Something of everything, with incidents below a called instance and ends of all kinds."""
    story = Story()
    definition = story.definition()
    story.definition("ship", name="")
    story.event("FORM", "CREATED", 900, {"formId": "f", "version": 1, "resourceName": "f.form", "resource": b"{}"})
    order = story.instance(definition)
    order.variable("orderId", '"4711"')
    total = order.variable("total", "7")
    call = order.enter("Ship", "CALL_ACTIVITY")
    order.flow("f1")
    order.flow("f1")
    child = story.instance(definition, "ship", (order.key, call))
    block = child.enter("Block", "SUB_PROCESS", name="A block")
    task = child.enter("Pay", "SERVICE_TASK", block)
    job = child.job("CREATED", task)
    child.job("FAILED", task, job, retries=0, worker="w", errorMessage="no card")
    incident = child.incident("CREATED", task, jobKey=job)
    order.variable("total", "8", key=total)
    child.job("RETRIES_UPDATED", task, job, retries=2)
    child.incident("RESOLVED", task, incident, jobKey=job)
    child.incident("CREATED", task, jobKey=job)
    ask = order.enter("Ask", "USER_TASK")
    asked = order.task("CREATED", ask)
    order.task("ASSIGNED", ask, asked, assignee="ann")
    catch = order.enter("Wait", "INTERMEDIATE_CATCH_EVENT")
    open_one = order.subscription("CREATED", catch, interrupting=False)
    order.subscription("CORRELATED", catch, open_one, interrupting=False)
    gone = order.subscription("CREATED", catch)
    order.subscription("CORRELATED", catch, gone)
    order.task("COMPLETED", ask, asked, assignee="ann")
    order.leave(ask)
    return story


def test_rows_do_not_depend_on_how_records_are_cut_into_batches() -> None:
    records = long_story().records
    with closing(empty()) as one_by_one, closing(empty()) as at_once, closing(empty()) as by_three:
        for record in records:
            write(one_by_one, [record])
        write(at_once, records)
        for start in range(0, len(records), 3):
            write(by_three, records[start : start + 3])
        assert everything(at_once) == everything(one_by_one) == everything(by_three)
        assert all(everything(at_once).values()), "the story leaves a table empty"


def test_commands_and_rejections_leave_the_tables_alone(tables: sqlite3.Connection) -> None:
    story = long_story()
    for record in story.records:
        record.record_type = "COMMAND"
    write(tables, story.records)
    assert not any(everything(tables).values())


def test_an_instance_begins_at_activating_and_stays_active_while_it_ends(tables: sqlite3.Connection) -> None:
    story = Story()
    instance = story.instance(story.definition())
    begun = START + 2000
    story.event("PROCESS_INSTANCE", "ELEMENT_COMPLETING", instance.key, {"bpmnElementType": "PROCESS"})
    write(tables, story.records)
    (row,) = rows(tables, "process_instances")
    assert (row["state"], row["start_date"], row["end_date"]) == ("ACTIVE", begun, None)
    assert row["root_process_instance_key"] == instance.key
    assert rows(tables, "element_instances") == []


@pytest.mark.parametrize("how", ["COMPLETED", "TERMINATED"])
def test_an_element_ends_in_the_state_of_its_last_event(tables: sqlite3.Connection, how: str) -> None:
    story = Story()
    instance = story.instance(story.definition())
    task = instance.enter("Pay", "SERVICE_TASK")
    instance.leave(task, how)
    instance.leave(instance.key, how)
    write(tables, story.records)
    (element,) = rows(tables, "element_instances")
    assert (element["state"], element["element_name"], element["scope_key"]) == (how, "Pay", instance.key)
    assert element["end_date"] is not None
    assert rows(tables, "process_instances")[0]["state"] == how


def test_a_flow_is_one_row_however_often_it_is_taken(tables: sqlite3.Connection) -> None:
    write(tables, long_story().records)
    assert [row["element_id"] for row in rows(tables, "sequence_flows")] == ["f1"]


def test_a_called_instance_knows_its_root(tables: sqlite3.Connection) -> None:
    write(tables, long_story().records)
    order, child = rows(tables, "process_instances")
    assert child["parent_process_instance_key"] == child["root_process_instance_key"] == order["process_instance_key"]


def test_an_incident_shows_at_all_that_is_around_it_until_it_is_resolved(tables: sqlite3.Connection) -> None:
    story = long_story()
    write(tables, story.records)
    standing = {row["element_id"]: row["incidents"] for row in rows(tables, "element_instances")}
    assert standing == {"Ship": 1, "Block": 1, "Pay": 1, "Ask": 0, "Wait": 0}
    assert [row["incidents"] for row in rows(tables, "process_instances")] == [1, 1]
    (pay,) = [row for row in rows(tables, "element_instances") if row["element_id"] == "Pay"]
    resolved, active = rows(tables, "incidents")
    assert (resolved["state"], active["state"]) == ("RESOLVED", "ACTIVE")
    assert pay["incident_key"] == active["incident_key"]
    last = next(record for record in reversed(story.records) if record.value_type == "INCIDENT")
    story.event("INCIDENT", "RESOLVED", active["incident_key"], last.value)
    write(tables, story.records[-1:])
    assert {row["incidents"] for row in rows(tables, "element_instances")} == {0}
    assert {row["incident_key"] for row in rows(tables, "element_instances")} == {None}
    assert [row["incidents"] for row in rows(tables, "process_instances")] == [0, 0]


def test_a_variable_has_its_last_value(tables: sqlite3.Connection) -> None:
    write(tables, long_story().records)
    assert {row["name"]: row["value"] for row in rows(tables, "variables")} == {"orderId": '"4711"', "total": "8"}


def test_a_jobs_state_is_its_last_event_but_for_those_that_a_search_does_not_show(tables: sqlite3.Connection) -> None:
    story = Story()
    instance = story.instance(story.definition())
    task = instance.enter("Pay", "SERVICE_TASK")
    job = instance.job("CREATED", task)
    instance.job("FAILED", task, job, retries=2)
    instance.job("RECURRED_AFTER_BACKOFF", task, job, retries=2)
    instance.job("YIELDED", task, job, retries=2)
    write(tables, story.records)
    (row,) = rows(tables, "jobs")
    assert (row["state"], row["has_failed_with_retries_left"], row["end_time"]) == ("FAILED", 1, None)
    instance.job("COMPLETED", task, job, worker="w", deadline=START)
    write(tables, story.records[-1:])
    (row,) = rows(tables, "jobs")
    assert (row["state"], row["has_failed_with_retries_left"], row["deadline"]) == ("COMPLETED", 0, START)
    assert row["end_time"] == row["last_update_time"] == story.records[-1].timestamp


def test_an_assigned_task_is_created_and_an_ended_one_stays(tables: sqlite3.Connection) -> None:
    story = Story()
    instance = story.instance(story.definition())
    ask = instance.enter("Ask", "USER_TASK")
    due = "2026-01-02T03:04:05+01:00[Europe/Berlin]"
    task = instance.task("CREATED", ask, candidateGroups=["a", "b"], dueDate=due)
    instance.task("ASSIGNED", ask, task, assignee="ann", dueDate=due)
    write(tables, story.records)
    (row,) = rows(tables, "user_tasks")
    assert (row["state"], row["assignee"], row["due_date"]) == ("CREATED", "ann", 1767319445000)
    instance.task("CANCELED", ask, task)
    write(tables, story.records[-1:])
    (row,) = rows(tables, "user_tasks")
    assert (row["state"], row["completion_date"]) == ("CANCELED", story.records[-1].timestamp)


def test_a_subscription_goes_when_it_can_correlate_no_more(tables: sqlite3.Connection) -> None:
    write(tables, long_story().records)
    (row,) = rows(tables, "message_subscriptions")
    assert (row["message_name"], row["correlation_key"]) == ("CancelOrder", "4711")


def test_a_deleted_definition_keeps_its_row(tables: sqlite3.Connection) -> None:
    story = Story()
    key = story.definition()
    story.event("PROCESS", "DELETED", key, story.records[0].value)
    write(tables, story.records)
    (row,) = rows(tables, "process_definitions")
    assert (row["deleted"], row["resource"]) == (1, b"<x/>")


def test_a_variable_is_found_by_an_index_that_holds_no_whole_value(tables: sqlite3.Connection) -> None:
    query = "SELECT 1 FROM variables WHERE name = 'a' AND substr(value, 1, 64) = 'b' AND +value = 'b'"
    plan = " ".join(row["detail"] for row in tables.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert "variables_by_value (name=? AND <expr>=?)" in plan


@pytest.mark.parametrize("rest", ["", " AND t.process_definition_id = 'order'"])
@pytest.mark.parametrize(
    ("selected", "order"), [("count(*)", ""), ("*", "ORDER BY t.process_instance_key DESC LIMIT 100")]
)
def test_instances_in_a_state_are_counted_and_the_newest_found_by_an_index_alone(
    tables: sqlite3.Connection, selected: str, order: str, rest: str
) -> None:
    query = f"SELECT {selected} FROM process_instances t WHERE t.state = 'ACTIVE'{rest} {order}"  # noqa: S608 - ours
    [plan] = [row["detail"] for row in tables.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert plan.endswith("(state=? AND process_definition_id=?)" if rest else "(state=?)")
