"""`saga engine backup`: a copy that an engine can start from, or no file at all."""

import asyncio
import copy
import sqlite3
import stat
from asyncio.subprocess import PIPE
from contextlib import closing
from pathlib import Path

import pytest

from saga.engine import log_check, projection
from saga.engine.backup import BackupError, back_up
from saga.engine.log import Log, LogError
from tests.engine.process import COMMAND, TIMEOUT, create, deploy, on_a_small_disk, read_log, refusal, running, task
from tests.engine.test_damage import flip, make
from tests.engine.test_kills import (
    CLIENTS,
    Ledger,
    complete_jobs,
    deploy_all,
    find,
    publish,
    set_notes,
    start_instances,
    until_gone,
)
from tests.engine.test_log import deployed, work


def restored(file: Path, folder: Path) -> Path:
    """Put a backup in place as docs/engine.md says."""
    folder.mkdir(mode=0o700)
    (folder / "engine.sqlite").write_bytes(file.read_bytes())
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log that no engine uses."""
    path = tmp_path / "data" / "engine.sqlite"
    path.parent.mkdir()
    with closing(Log(path, projection)) as log:
        work(deployed(log), log, 20)
    return path


async def test_a_backup_under_load_has_all_that_was_acknowledged_before_it_began(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "backup.sqlite"
    ledger = Ledger()
    async with running(data=data) as engine, engine.stub() as stub:
        await deploy_all(stub)
        works = [each(stub, ledger) for each in (start_instances, complete_jobs) for _ in range(CLIENTS)]
        loading = asyncio.gather(*map(until_gone, (*works, publish(stub, ledger), set_notes(stub, ledger))))
        while min(len(ledger.completed), len(ledger.published), len(ledger.set_)) < 20:
            ledger.started.add(await create(stub, "work"))
        acknowledged = copy.deepcopy(ledger)
        command = (*COMMAND, "backup", str(file), "--data", str(data))
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
        said, errors = await asyncio.wait_for(process.communicate(), TIMEOUT)
        assert (process.returncode, errors) == (0, b"")
        assert str(file).encode() in said
        assert len(ledger.completed) > len(acknowledged.completed), "there was no load meanwhile"
        await engine.kill()
        await loading
    last = read_log(data / "engine.sqlite")[-1].position
    assert read_log(file)[-1].position < last
    # What was answered between the copy of the ledger and the backup may be in it or not.
    acknowledged.in_doubt = ledger.in_doubt | ledger.completed.keys()
    async with running(data=restored(file, tmp_path / "restored")) as engine, engine.stub() as stub:
        await find(engine, stub, acknowledged)


async def test_a_killed_engines_log_is_backed_up_with_what_is_in_its_write_ahead_log(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    async with running(data=tmp_path / "data") as engine, engine.stub() as stub:
        await deploy(stub, task("work"))
        instance = await create(stub, "work")
        await engine.kill()
    assert (tmp_path / "data" / "engine.sqlite-wal").stat().st_size > 0
    back_up(tmp_path / "data" / "engine.sqlite", file)
    assert instance in {each.key for each in read_log(file)}


def test_a_backup_is_one_file_that_only_its_owner_can_read(log: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    file = tmp_path / "kept" / "backup"
    back_up(log, file)
    assert read_log(file) == read_log(log)
    assert [each.name for each in file.parent.iterdir()] == ["backup"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_file_that_exists_is_not_overwritten(log: Path, tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("mine")
    said = await refusal("backup", str(file), "--data", str(log.parent))
    assert said == f"Error: {file} exists. Name a new file: a backup overwrites none."
    assert file.read_text() == "mine"


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=f"{tmp_path} holds no log"):
        back_up(tmp_path / "engine.sqlite", tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_a_log_of_another_format_is_refused(log: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(log, isolation_level=None)) as database:
        database.execute("UPDATE meta SET value = 99 WHERE name = 'format'")
    with pytest.raises(LogError, match="has the format 99"):
        back_up(log, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_a_log_that_is_damaged_is_refused(log: Path, tmp_path: Path) -> None:
    with log.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(BackupError, match="is damaged"):
        back_up(log, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_a_log_that_cannot_be_opened_is_told_as_that(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As from a read-only file system: root, as whom tests may run, can write in every folder of another one.
    nowhere = f"file:{tmp_path}/nowhere/log?mode=ro"
    monkeypatch.setattr(log_check, "open_read_only", lambda _path: sqlite3.connect(nowhere, uri=True))
    with pytest.raises(LogError, match=f"{log} cannot be opened"):
        back_up(log, tmp_path / "backup")


def test_a_killed_engines_log_that_would_lack_commits_is_refused(tmp_path: Path) -> None:
    killed = make(tmp_path)
    path = killed.copy(tmp_path / "data")
    flip(Path(f"{path}-wal"), 5000)
    with pytest.raises(LogError, match="cannot be read, and 11 behind it would be lost"):
        back_up(path, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_a_place_that_cannot_be_written_is_refused_by_name(log: Path, tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "backup"
    with pytest.raises(BackupError, match=f"{file} cannot be written: No such file or directory"):
        back_up(log, file)


async def test_a_full_disk_leaves_no_file(log: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    file = tmp_path / "full" / "backup"
    command = on_a_small_disk(50_000, "backup", str(file), "--data", str(log.parent))
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    _, errors = await asyncio.wait_for(process.communicate(), TIMEOUT)
    assert process.returncode == 1
    assert errors.decode().startswith(f"Error: {log} could not be copied to {file}: ")
    assert "Traceback" not in errors.decode()
    assert list(file.parent.iterdir()) == []


def test_a_backup_that_is_interrupted_leaves_no_file(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").mkdir()

    def interrupt(_file: int) -> None:
        assert len(list((tmp_path / "kept").iterdir())) == 1, "the copy, under another name"
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        back_up(log, tmp_path / "kept" / "backup")
    assert list((tmp_path / "kept").iterdir()) == []
