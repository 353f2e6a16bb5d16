"""A replica shows a log as it was, and each kind of record as late as it is told."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from saga.engine import projection
from saga.engine.log import Log
from saga.engine.projection import Reader, Replica
from tests.engine.projection.test_project import long_story


@pytest.fixture
def log() -> Iterator[Log]:
    with closing(Log(None, projection)) as log:
        records = long_story().records
        log.create(records[:7])
        for record in records[7:]:
            log.append([record])
        yield log


async def tables(reader: Reader) -> dict[str, list[tuple[object, ...]]]:
    def read(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").fetchall()
        names = [name for (name,) in found if name not in {"meta", "batch", "snapshot"}]
        return {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in names}  # noqa: S608 - ours

    return await reader.read(read)


async def test_tables_made_anew_are_the_tables_that_were_written(log: Log) -> None:
    written = Reader.of_uri(log.reader_uri)
    with closing(written), closing(Replica(log.reader_uri)) as replica:
        replica.show()
        assert await tables(replica.reader) == await tables(written)


async def test_it_shows_nothing_behind_a_position_and_can_go_on(log: Log) -> None:
    written = Reader.of_uri(log.reader_uri)
    with closing(written), closing(Replica(log.reader_uri)) as replica:
        replica.show(until=3)
        shown = await tables(replica.reader)
        assert len(shown["process_definitions"]) == 2
        assert shown["process_instances"] == []
        replica.show()
        assert await tables(replica.reader) == await tables(written)


async def test_one_kind_of_record_lags_alone(log: Log) -> None:
    with closing(Replica(log.reader_uri)) as replica:
        replica.show(by_type={"INCIDENT": 0})
        shown = await tables(replica.reader)
        assert shown["incidents"] == []
        assert len(shown["element_instances"]) == 5


async def test_a_slow_query_does_not_stall_the_loop(log: Log) -> None:
    slow = "WITH RECURSIVE n (x) AS (VALUES (0) UNION ALL SELECT x + 1 FROM n WHERE x < 200000) SELECT max(x) FROM n"
    with closing(Reader.of_uri(log.reader_uri)) as reader:
        query = asyncio.create_task(reader.read(lambda connection: connection.execute(slow).fetchone()[0]))
        turns = 0
        while not query.done():
            await asyncio.sleep(0)
            turns += 1
        assert query.result() == 200_000
        assert turns > 10


async def test_a_reader_cannot_write(tmp_path: Path) -> None:
    with closing(Log(tmp_path / "log.db", projection)) as file:
        file.create(long_story().records)
        with closing(Reader.of_uri(file.reader_uri)) as reader:
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                await reader.read(lambda connection: connection.execute("DELETE FROM jobs"))
            count = "SELECT count(*) FROM jobs"
            assert await reader.read(lambda connection: connection.execute(count).fetchone()) == (1,)


@pytest.mark.parametrize("seed", [1, 4])
async def test_however_it_went_on_it_shows_what_it_would_show_at_once(log: Log, seed: int) -> None:
    """Records that are added to what is shown already, in steps and each kind in its own time, make the same tables."""
    last = max(record.position for record in log.records())
    random = Random(seed)  # noqa: S311 - the order of a test
    shown = dict.fromkeys(sorted({record.value_type for record in log.records()}), 0)
    with closing(Replica(log.reader_uri)) as stepping:
        while min(shown.values()) < last:
            late = random.choice(list(shown))
            # Now and then one goes back: it is made anew.
            shown[late] = min(last, max(0, shown[late] + random.choice([-1, 3, 9, 27])))
            stepping.show(until=0, by_type=shown)
            with closing(Replica(log.reader_uri)) as at_once:
                at_once.show(until=0, by_type=shown)
                assert await tables(stepping.reader) == await tables(at_once.reader)
        assert stepping.position() == last
