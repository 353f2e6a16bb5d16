"""The log is the truth: what is recovered from it, and what is refused."""

import asyncio
import sqlite3
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from saga.engine import folder, projection
from saga.engine.core import Command, Engine
from saga.engine.folder import DataFolder, FolderError, file_system
from saga.engine.log import Log, LogError
from saga.engine.recovery import recover
from saga.kit.gateway import connection
from tests.engine.process import ANY_PORTS, TIMEOUT, create, deploy, on_a_small_disk, refusal, running, task
from tests.engine.writing import NOW, creation

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub


def begun(log: Log) -> Engine:
    """Bring a new engine to where the log ends."""
    engine = Engine()
    recover(log, engine, now=NOW, first_key=0)
    return engine


def work(engine: Engine, log: Log, instances: int, *, answer_every: int = 2) -> None:
    """Start instances and complete some of their jobs."""
    for number in range(instances):
        answer = engine.process(creation(variables='{"a": [1, {"b": null}]}'), NOW + number)
        log.append(answer.records)
        for job_type, key in answer.activatable if number % answer_every == 0 else ():
            assert job_type == "work"
            log.append(engine.process(Command("JOB", "COMPLETE", key, {"variables": ""}), NOW + number).records)


def deployed(log: Log) -> Engine:
    engine = begun(log)
    value = {"resources": [{"resourceName": "process.bpmn", "resource": task("work")}]}
    log.append(engine.process(Command("DEPLOYMENT", "CREATE", value=value), NOW).records)
    return engine


@pytest.mark.parametrize("snapshot_after", [0, 7, 20])
def test_a_snapshot_and_the_rest_are_the_same_as_the_whole_log(tmp_path: Path, snapshot_after: int) -> None:
    log = Log(tmp_path / "log", projection)
    engine = deployed(log)
    work(engine, log, snapshot_after)
    if snapshot_after:
        log.save_snapshot(engine.snapshot(), engine.position)
    assert log.snapshot_position() == (engine.position if snapshot_after else 0)
    work(engine, log, 20 - snapshot_after)
    log.close()

    log = Log(tmp_path / "log", projection)
    by_snapshot = begun(log)
    whole = Engine()
    for record in log.records():
        whole.replay(record)
    log.close()
    assert by_snapshot.position == whole.position == engine.position
    assert by_snapshot.digest() == whole.digest() == engine.digest()


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", projection)
    engine = deployed(log)
    answer = engine.process(creation(), NOW)
    log.append(answer.records)
    assert list(log.records(after=answer.records[0].position - 1)) == answer.records
    assert list(log.records(after=answer.records[2].position)) == answer.records[3:]
    log.close()


def test_a_log_that_lacks_records_is_refused(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", projection)
    work(deployed(log), log, 3)
    log.close()
    with sqlite3.connect(tmp_path / "log") as database:
        positions = [each for (each,) in database.execute("SELECT first_position FROM batch ORDER BY 1")]
        database.execute("DELETE FROM batch WHERE first_position = ?", (positions[-2],))
    database.close()
    log = Log(tmp_path / "log", projection)
    with pytest.raises(LogError, match=f"lacks the records {positions[-2]} to {positions[-1] - 1}"):
        begun(log)
    log.close()


async def test_an_unknown_format_is_refused_by_name_and_nothing_is_written(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    log = Log(data / "engine.sqlite", projection)
    begun(log)
    log.close()
    with sqlite3.connect(data / "engine.sqlite") as database:
        database.execute("UPDATE meta SET value = 99 WHERE name = 'format'")
    database.close()
    before = (data / "engine.sqlite").read_bytes()
    said = await refusal("--data", str(data), *ANY_PORTS)
    assert "has the format 99, and this release reads 1" in said
    assert (data / "engine.sqlite").read_bytes() == before


async def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "engine.sqlite").write_text("This is not a database, but somebody's notes." * 100)
    said = await refusal("--data", str(tmp_path), *ANY_PORTS)
    assert "is not a log of `saga engine`" in said


async def test_a_folder_in_use_is_refused_by_name_with_the_process_that_holds_it(tmp_path: Path) -> None:
    async with running(data=tmp_path / "data") as engine:
        said = await refusal("--data", str(tmp_path / "data"), *ANY_PORTS)
        assert f"{tmp_path / 'data'} is in use by the engine with process id {engine.process.pid}" in said
        await engine.kill()
    # What a killed engine leaves behind locks nobody out.
    async with running(data=tmp_path / "data") as engine:
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_a_folder_in_which_something_else_is_kept_is_refused_and_left_as_it_is(tmp_path: Path, mode: int) -> None:
    tmp_path.joinpath("letters").mkdir()
    tmp_path.chmod(mode)
    with pytest.raises(FolderError, match="has other files in it and no log of an engine"):
        DataFolder(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == mode
    assert [each.name for each in tmp_path.iterdir()] == ["letters"]


def test_another_user_s_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(FolderError, match="is another user's folder"):
        DataFolder(tmp_path)


def test_a_folder_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert file_system(tmp_path)
    found = [("/", "ext4"), (str(tmp_path), "nfs4"), (f"{tmp_path}/local", "xfs")]
    monkeypatch.setattr(folder, "mounts", lambda: found)
    with pytest.raises(FolderError, match=r"network file system \(nfs4\)"):
        DataFolder(tmp_path / "data")
    assert not (tmp_path / "data").exists()
    DataFolder(tmp_path / "local" / "data").release()


def test_keys_of_a_new_log_begin_at_its_creation_and_never_come_twice(tmp_path: Path) -> None:
    before = int(time.time() * 1000)
    log = Log(tmp_path / "log", projection)
    engine = Engine()
    recover(log, engine, now=before, first_key=None)
    value = {"resources": [{"resourceName": "process.bpmn", "resource": task("work")}]}
    first = engine.process(Command("DEPLOYMENT", "CREATE", value=value), before)
    log.append(first.records)
    log.close()
    log = Log(tmp_path / "log", projection)
    engine = begun(log)
    second = engine.process(creation(), before + 1)
    log.close()
    keys = [record.key for record in first.records if record.key > 0]
    assert min(keys) >= (1 << 51) + before
    assert max(keys) < min(record.key for record in second.records if record.key > 0)


def test_a_seed_is_in_the_first_record_and_differs_between_logs(tmp_path: Path) -> None:
    seeds = set()
    for name in ("one", "two"):
        log = Log(tmp_path / name, projection)
        begun(log)
        seeds.add(next(log.records()).value["seed"])
        log.close()
    assert len(seeds) == 2


async def fill(stub: "GatewayAsyncStub", answered: list[int]) -> grpc.aio.AioRpcError:
    """Start large instances until there is no answer; `answered` gets the keys of those before it."""
    while True:
        try:
            answered.append(await create(stub, "work", '{"large": "' + "x" * 50_000 + '"}'))
        except grpc.aio.AioRpcError as error:
            return error


async def test_a_commit_that_fails_ends_the_process_and_what_was_answered_is_there(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = await asyncio.create_subprocess_exec(
        *on_a_small_disk(1_500_000, "--data", str(data), *ANY_PORTS),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    addresses = [(await process.stdout.readline()).decode().split() for _ in range(5)]
    answered: list[int] = []
    async with grpc.aio.insecure_channel(addresses[1][1]) as channel:
        stub = connection.stub(channel)
        await deploy(stub, task("work"))
        lost = await fill(stub, answered)
    assert lost.code() is grpc.StatusCode.UNAVAILABLE
    _, errors = await asyncio.wait_for(process.communicate(), TIMEOUT)
    assert process.returncode == 1
    assert errors.startswith(b"saga engine: A batch could not be committed (")
    assert errors.count(b"\n") == 1
    assert answered
    async with running(data=data) as engine:
        activated = {each.key for each in engine.records() if each.value_type == "PROCESS_INSTANCE"}
        assert activated.issuperset(answered)


async def test_a_disk_without_room_for_a_new_log_is_refused_by_name(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = await asyncio.create_subprocess_exec(
        *on_a_small_disk(10_000, "--data", str(data), *ANY_PORTS), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), TIMEOUT)
    assert process.returncode == 1
    assert errors.decode().startswith(f"Error: {data / 'engine.sqlite'} cannot be written: ")
    assert errors.count(b"\n") == 1
    async with running(data=data) as engine:
        assert await engine.stop() == 0


async def test_a_folder_that_cannot_be_written_is_refused_by_name() -> None:
    said = await refusal("--data", "/proc/engine-data", *ANY_PORTS)
    assert said.startswith("Error: /proc/engine-data cannot be used: ")


async def test_a_clean_stop_leaves_a_snapshot_of_the_last_record(tmp_path: Path) -> None:
    async with running(data=tmp_path / "data") as engine:
        async with engine.stub() as stub:
            await deploy(stub, task("work"))
            await create(stub, "work")
        assert await engine.stop() == 0
    database = sqlite3.connect(tmp_path / "data" / "engine.sqlite")
    [position] = database.execute("SELECT position FROM snapshot").fetchone()
    database.close()
    log = Log(tmp_path / "data" / "engine.sqlite", projection)
    *_, last = log.records()
    assert last.position == position
    whole = Engine()
    for record in log.records():
        whole.replay(record)
    assert begun(log).digest() == whole.digest()
    log.close()
