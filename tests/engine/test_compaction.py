"""What leaves the log when it is compacted, and that the state is still the snapshot and the rest."""

import lzma
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from saga.engine import compaction, projection
from saga.engine.backup import back_up
from saga.engine.compaction import compact
from saga.engine.core import Engine
from saga.engine.core.times import FAR
from saga.engine.log import FORMAT, Log, LogError
from saga.engine.projection import history
from tests.engine.golden import golden
from tests.engine.process import read_log
from tests.engine.test_backup import restored
from tests.engine.test_damage import opened, state
from tests.engine.test_golden import told
from tests.engine.test_log import begun, deployed, work
from tests.engine.writing import NOW

OLD, NEW = 12, 4
"""Instances before the snapshot and behind it; each begins a millisecond after the one before."""


def first_positions(path: Path) -> list[int]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        return [each for (each,) in database.execute("SELECT first_position FROM batch ORDER BY 1")]


def make(path: Path) -> tuple[Engine, int]:
    """Write a log with a snapshot in it; return its engine and the position of the snapshot."""
    with closing(Log(path, projection)) as log:
        engine = deployed(log)
        work(engine, log, OLD)
        position = engine.position
        log.save_snapshot(engine.snapshot(), position)
        work(engine, log, NEW)
    return engine, position


def removed(log: Log, before: int) -> int:
    """Remove all portions; return how many there were."""
    portions = 1
    oldest = log.remove_older(before)
    while oldest is not None and oldest <= before:
        portions += 1
        oldest = log.remove_older(before)
    return portions


def crashed(path: Path, folder: Path) -> Path:
    """Copy a log as it is when its process is killed now."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for each in path.parent.glob(f"{path.name}*"):
        if not each.name.endswith("-shm"):
            shutil.copyfile(each, folder / each.name)
    return folder / path.name


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    """Where a log is."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "engine.sqlite"


def test_batches_that_the_snapshot_covers_are_removed_and_the_state_is_the_same(log_path: Path) -> None:
    engine, position = make(log_path)
    records, positions = read_log(log_path), first_positions(log_path)
    with closing(Log(log_path, projection)) as log:
        begun(log)
        removed(log, FAR)
    left = first_positions(log_path)
    assert left == [each for each in positions if each >= left[0]]
    # The batch with the snapshot's last record is the first one that stays.
    assert left[0] <= position < left[1]
    assert opened(log_path) == state(engine)
    assert read_log(log_path) == [each for each in records if each.position >= left[0]]
    with closing(Log(log_path, projection)) as log:
        again = begun(log)
        work(again, log, 3)
        log.save_snapshot(again.snapshot(), again.position)
        removed(log, FAR)
        assert first_positions(log_path)[0] > position
    assert opened(log_path) == state(again)


def test_what_is_younger_stays_and_without_a_snapshot_everything(log_path: Path) -> None:
    make(log_path)
    positions = first_positions(log_path)
    with closing(Log(log_path, projection)) as log:
        begun(log)
        assert log.remove_older(NOW - 1) == NOW
        assert first_positions(log_path) == positions
        removed(log, NOW + 4)
        assert log.remove_older(NOW + 4) == NOW + 5
        assert first_positions(log_path) != positions
        assert read_log(log_path)[0].timestamp == NOW + 5
        log.save_snapshot(b"", 0)
        left = first_positions(log_path)
        removed(log, FAR)
        assert first_positions(log_path) == left


def test_a_kill_between_two_portions_leaves_a_log_that_starts_and_goes_on(
    log_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "PORTION", 10_000)
    monkeypatch.setattr(history, "PORTION", 25)
    engine, _ = make(log_path)
    with closing(Log(log_path, projection)) as log:
        begun(log)
        portions = 0
        oldest: int | None = 0
        while oldest is not None and oldest <= FAR:
            oldest = log.remove_older(FAR)
            portions += 1
            copy = crashed(log_path, tmp_path / "crashed")
            assert opened(copy) == state(engine)
            with closing(Log(copy, projection)) as other:
                begun(other)
                removed(other, FAR)
                assert [each for each in tables(copy) if each[1] != "ACTIVE"] == []
        assert portions > 5
        assert tables(copy) == tables(log_path)
        assert read_log(copy) == read_log(log_path)


def tables(path: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        return database.execute("SELECT process_instance_key, state FROM process_instances ORDER BY 1").fetchall()


def test_a_kill_within_a_portion_undoes_it(log_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _ = make(log_path)
    records, instances = read_log(log_path), tables(log_path)

    def interrupted(connection: sqlite3.Connection, before: int) -> int | None:
        compact(connection, before)
        crashed(log_path, tmp_path / "crashed")
        raise KeyboardInterrupt

    monkeypatch.setattr("saga.engine.log.compact", interrupted)
    with closing(Log(log_path, projection)) as log:
        begun(log)
        with pytest.raises(KeyboardInterrupt):
            log.remove_older(FAR)
    for path in (log_path, tmp_path / "crashed" / log_path.name):
        assert opened(path) == state(engine)
        assert read_log(path) == records
        assert tables(path) == instances


def test_a_log_that_lacks_early_records_without_compaction_is_refused(log_path: Path, tmp_path: Path) -> None:
    make(log_path)
    with closing(Log(log_path, projection)) as log:
        begun(log)
        removed(log, NOW + 4)
    first, second, *_ = first_positions(log_path)
    for statement, position, begins, should in (
        ("DELETE FROM batch WHERE first_position = ?", first, second, first),
        ("UPDATE meta SET value = ? WHERE name = 'first_position'", second, first, second),
        ("UPDATE meta SET name = ? WHERE name = 'first_position'", "last", first, 1),
    ):
        path = crashed(log_path, tmp_path / "copy")
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute(statement, (position,))
        said = f"is damaged: it begins at position {begins}, and should begin at {should}. Restore a backup of it."
        assert said in str(opened(path))


def test_a_compacted_log_without_its_snapshot_is_refused(log_path: Path) -> None:
    make(log_path)
    with closing(Log(log_path, projection)) as log:
        begun(log)
        removed(log, FAR)
    with closing(sqlite3.connect(log_path, isolation_level=None)) as database:
        database.execute("DELETE FROM snapshot")
    lacking = f"lacks the records 1 to {first_positions(log_path)[0] - 1}"
    with closing(Log(log_path, projection)) as log, pytest.raises(LogError, match=lacking):
        begun(log)


def test_a_backup_of_a_compacted_log_can_be_started_from(log_path: Path, tmp_path: Path) -> None:
    engine, _ = make(log_path)
    with closing(Log(log_path, projection)) as log:
        begun(log)
        removed(log, FAR)
        back_up(log_path, tmp_path / "backup")
    folder = restored(tmp_path / "backup", tmp_path / "restored")
    assert opened(folder / log_path.name) == state(engine)
    assert first_positions(folder / log_path.name) == first_positions(log_path)


def test_the_golden_log_is_recovered_to_the_same_state_once_it_is_compacted(log_path: Path) -> None:
    log_path.write_bytes(lzma.decompress(golden(FORMAT).read_bytes()))
    with closing(Log(log_path, projection)) as log:
        begun(log)
        removed(log, FAR)
    assert first_positions(log_path)[0] > 1
    recovered = told(FORMAT)
    assert opened(log_path) == (recovered["position"], recovered["digest"])


def test_the_space_of_what_was_removed_is_used_again(log_path: Path) -> None:
    pages = []
    with closing(Log(log_path, projection)) as log:
        engine = deployed(log)
        for _ in range(4):
            work(engine, log, 15, answer_every=1)
            log.save_snapshot(engine.snapshot(), engine.position)
            removed(log, FAR)
            with closing(sqlite3.connect(log_path)) as database:
                pages.append(database.execute("PRAGMA page_count").fetchone()[0])
    assert pages[-1] < 1.1 * pages[0]
