"""Ended instances leave every table, each with what it called, and no other row does."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from saga.engine.projection import forget, history, write
from tests.engine.projection.records import START, Instance, Story
from tests.engine.projection.test_project import empty, everything

NEVER = START * 2


@pytest.fixture
def tables() -> Iterator[sqlite3.Connection]:
    with closing(empty()) as connection:
        yield connection


def owned(connection: sqlite3.Connection) -> list[str]:
    """Return the tables whose rows belong to process instances."""
    columns = "SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE c.name = 'process_instance_key'"
    return [name for (name,) in connection.execute(columns).fetchall()]


def instances_of(connection: sqlite3.Connection) -> dict[str, set[int]]:
    """Return which instances each table has rows of."""
    found = {name: connection.execute(f"SELECT process_instance_key FROM {name}") for name in owned(connection)}  # noqa: S608 - ours
    return {name: {key for (key,) in keys} for name, keys in found.items()}


def forget_all(connection: sqlite3.Connection, before: int) -> int | None:
    """Forget portion by portion; return when the oldest root that is left ended."""
    while (oldest := forget(connection, before)) is not None and oldest <= before:
        pass
    return oldest


def full(story: Story, definition: int) -> tuple[Instance, Instance]:
    """Begin an instance with something in every table, and one that it calls with the same."""
    root = story.instance(definition)
    called = story.instance(definition, "order", (root.key, root.enter("Ship", "CALL_ACTIVITY")))
    for each in (root, called):
        element = each.enter("Pay", "SERVICE_TASK")
        each.flow("f1")
        each.flow("f2")
        each.variable("a", "1")
        each.variable("b", "1", element)
        each.incident("CREATED", element, jobKey=each.job("CREATED", element))
        each.task("CREATED", element)
        each.subscription("CREATED", element)
    return root, called


def test_an_ended_root_leaves_every_table_with_what_it_called_and_nothing_else_does(tables: sqlite3.Connection) -> None:
    story = Story()
    definition = story.definition()
    gone, alive, late = (full(story, definition) for _ in range(3))
    gone[1].leave(gone[1].key, "TERMINATED")
    gone[0].leave(gone[0].key, "TERMINATED")
    end = story.records[-1].timestamp
    alive[1].leave(alive[1].key)
    late[1].leave(late[1].key)
    late[0].leave(late[0].key)
    write(tables, story.records)
    before = everything(tables)
    assert len(instances_of(tables)) == 8
    assert all(len(keys) == 6 for keys in instances_of(tables).values())
    assert forget_all(tables, end - 1) == end
    assert everything(tables) == before
    assert forget_all(tables, end) == story.records[-1].timestamp
    left = {each.key for each in (*alive, *late)}
    assert instances_of(tables) == dict.fromkeys(owned(tables), left)
    assert everything(tables) == {
        name: [row for row in rows if row.get("process_instance_key", alive[0].key) in left]
        for name, rows in before.items()
    }
    assert forget_all(tables, NEVER) is None
    assert instances_of(tables) == {name: {each.key for each in alive} for name in owned(tables)}


def test_a_portion_has_so_many_rows_and_the_roots_own_row_is_in_the_last(
    tables: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PORTION", 3)
    story = Story()
    root, called = full(story, story.definition())
    called.leave(called.key)
    root.leave(root.key)
    write(tables, story.records)
    count = "SELECT count(*) FROM "
    left = [sum(tables.execute(count + name).fetchone()[0] for name in owned(tables))]
    while left[-1]:
        assert root.key in instances_of(tables)["process_instances"]
        forget(tables, NEVER)
        left.append(sum(tables.execute(count + name).fetchone()[0] for name in owned(tables)))
        assert left[-2] - 3 <= left[-1] < left[-2]


def test_a_portion_that_takes_long_ends_with_the_instance(
    tables: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LONGEST", 0)
    story = Story()
    definition = story.definition()
    for _ in range(3):
        instance = story.instance(definition)
        instance.leave(instance.key)
    write(tables, story.records)
    for left in (2, 1, 0):
        forget(tables, NEVER)
        assert len(instances_of(tables)["process_instances"]) == left


def test_the_oldest_root_is_found_by_an_index(tables: sqlite3.Connection) -> None:
    for query, index in (
        (history._OLDEST, "process_instances_by_end"),  # noqa: SLF001 - how it is found is not seen otherwise
        (history._CALLED.replace("?", "1"), "process_instances_by_parent"),  # noqa: SLF001 - as above
    ):
        [plan] = [row["detail"] for row in tables.execute(f"EXPLAIN QUERY PLAN {query}")]
        assert f"INDEX {index}" in plan
