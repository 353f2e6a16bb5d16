"""A log that an earlier release wrote is read as it was written."""

import json
import lzma
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from saga.engine import projection
from saga.engine.core import Engine, Record
from saga.engine.log import FORMAT, Log, LogError
from saga.engine.projection import Reader, Replica
from saga.engine.recovery import recover
from tests.engine.golden import FOLDER, HOW, golden, records, shape
from tests.engine.projection.test_replica import tables
from tests.engine.writing import NOW

READ = [number for number in (FORMAT - 1, FORMAT) if golden(number).exists()]
"""The formats that this release reads."""


@pytest.fixture(params=READ)
def number(request: pytest.FixtureRequest) -> int:
    """A format that this release reads."""
    found: int = request.param
    return found


@pytest.fixture
def log(number: int, tmp_path: Path) -> Iterator[Log]:
    """The golden log of the format."""
    path = tmp_path / "log"
    path.write_bytes(lzma.decompress(golden(number).read_bytes()))
    try:
        log = Log(path, projection)
    except LogError as error:
        pytest.fail(f"{error} {HOW}")
    with closing(log):
        yield log


def told(number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(golden(number).with_suffix(".json").read_text(encoding="utf-8"))
    return found


def test_this_format_has_a_golden_log_and_no_later_one_has() -> None:
    formats = sorted(int(path.stem.removeprefix("format-")) for path in FOLDER.glob("format-*.xz"))
    assert formats == list(range(1, FORMAT + 1)), HOW


def test_it_is_replayed_to_the_state_that_its_writer_had(log: Log, number: int) -> None:
    snapshot = log.snapshot()
    whole, recovered = Engine(), Engine()
    for record in log.records():
        whole.replay(record)
    recover(log, recovered, now=NOW, first_key=None)
    assert snapshot
    assert 0 < snapshot[0] < whole.position
    found = [{"position": each.position, "digest": each.digest()} for each in (whole, recovered)]
    assert found == [told(number)] * 2, HOW
    state = whole.state.tables
    for table in ("elements", "variables", "jobs", "incidents", "subscriptions", "compensations", "user_tasks"):
        assert getattr(state, table), f"{table} is empty: the golden log does not tell whether it can be read"
    assert state.messages
    assert state.timers


async def test_its_search_tables_made_anew_are_those_that_its_writer_made(log: Log) -> None:
    written = Reader.of_uri(log.reader_uri)
    with closing(written), closing(Replica(log.reader_uri)) as replica:
        replica.show()
        found = await tables(written)
        assert await tables(replica.reader) == found, HOW
        assert all(found.values()), "a table is empty"


@pytest.mark.parametrize("number", [FORMAT], indirect=True)
def test_records_of_today_have_the_shape_of_the_golden_logs(log: Log) -> None:
    # As they come back from a log.
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(records()), type=list[Record])
    before, today = shape(log.records()), shape(read)
    changed = {kind for kind in before.keys() | today.keys() if before.get(kind) != today.get(kind)}
    assert changed == set(), HOW


def test_a_field_that_is_renamed_or_of_another_type_is_another_shape() -> None:
    log_records = records()
    before = shape(log_records)
    [job, *_] = [each for each in log_records if (each.value_type, each.intent) == ("JOB", "CREATED")]
    job.value["retries"] = str(job.value["retries"])
    assert shape(log_records) != before
    job.value["attempts"] = int(job.value.pop("retries"))
    assert shape(log_records) != before
