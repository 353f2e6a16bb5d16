"""A log that is cut, or has a wrong byte, is recovered to its last whole batch, or refused by name and left alone."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom

import pytest

from saga.engine import projection
from saga.engine.core import Engine
from saga.engine.log import Log, LogError
from saga.engine.recovery import recover
from tests.amount import portions
from tests.engine.process import ANY_PORTS, create, deploy, read_log, refusal, running, task
from tests.engine.test_log import begun, deployed, work
from tests.engine.writing import NOW, creation

NAME = "engine.sqlite"
SIDES = ("", "-wal")
State = tuple[int, str]
"""Position and digest."""


@dataclass
class Original:
    """A log as a killed engine left it."""

    folder: Path
    ends: list[tuple[int, State]] = field(default_factory=list)
    """Of each commit in the write-ahead log, its size behind it, and the state; first the one that is not in it."""

    @property
    def last(self) -> State:
        """The state after the last commit."""
        return self.ends[-1][1]

    def size(self, side: str) -> int:
        """Return the size of one of its files."""
        return (self.folder / f"{NAME}{side}").stat().st_size

    def copy(self, folder: Path) -> Path:
        """Copy its files, without the index of the write-ahead log, as a crash of the machine leaves them."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for side in SIDES:
            if (self.folder / f"{NAME}{side}").exists():
                shutil.copyfile(self.folder / f"{NAME}{side}", folder / f"{NAME}{side}")
        return folder / NAME


def state(engine: Engine) -> State:
    return engine.position, engine.digest()


def make(folder: Path) -> Original:
    """Make a log: half of it in the file with a snapshot, the rest in its write-ahead log."""
    life = folder / "life"
    life.mkdir(parents=True)
    with closing(Log(life / NAME, projection)) as log:
        engine = deployed(log)
        work(engine, log, 30)
        log.save_snapshot(engine.snapshot(), engine.position)
        work(engine, log, 30, answer_every=5)
        with closing(sqlite3.connect(life / NAME)) as other:
            assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        found = Original(folder / "killed", [(0, state(engine))])
        for number in range(12):
            log.append(engine.process(creation(variables='{"a": "' + "x" * 400 * number + '"}'), NOW).records)
            found.ends.append(((life / f"{NAME}-wal").stat().st_size, state(engine)))
        found.folder.mkdir()
        for side in SIDES:
            shutil.copyfile(life / f"{NAME}{side}", found.folder / f"{NAME}{side}")
    return found


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Original:
    """A log whose engine was killed."""
    return make(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def stopped(killed: Original, tmp_path_factory: pytest.TempPathFactory) -> Original:
    """The same log after its engine was stopped: it has no write-ahead log."""
    found = Original(tmp_path_factory.mktemp("stopped") / "log", [(0, killed.last)])
    path = killed.copy(found.folder)
    with closing(Log(path, projection)) as log:
        assert state(begun(log)) == killed.last
    assert [each.name for each in found.folder.iterdir()] == [NAME]
    return found


def contents(path: Path) -> list[bytes]:
    """Read what the log's files have."""
    files = [Path(f"{path}{side}") for side in SIDES]
    return [file.read_bytes() if file.exists() else b"" for file in files]


def opened(path: Path) -> State | str:
    """Open a log as an engine does; return the state that it is recovered to, or the refusal."""
    before = contents(path)
    engine = Engine()
    try:
        with closing(Log(path, projection)) as log:
            recover(log, engine, now=NOW, first_key=None)
    except LogError as error:
        said = str(error)
    else:
        return state(engine)
    assert path.name in said
    assert "\n" not in said
    assert contents(path) == before, f"something was written before: {said}"
    return said


def flip(path: Path, offset: int) -> None:
    """Make one byte wrong."""
    with path.open("r+b") as file:
        file.seek(offset)
        [byte] = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 0xFF]))


def cut_write_ahead_log(killed: Original, path: Path, size: int) -> None:
    """Cut it: what was committed whole before the cut is there, and nothing else."""
    os.truncate(f"{killed.copy(path)}-wal", size)
    assert opened(path / NAME) == [found for end, found in killed.ends if end <= size][-1]


def flip_write_ahead_log(killed: Original, path: Path, offset: int) -> None:
    """Make a byte wrong: all is there, or the last commit is torn, or the log is refused."""
    flip(Path(f"{killed.copy(path)}-wal"), offset)
    found = opened(path / NAME)
    if offset >= killed.ends[-2][0]:
        assert found in {killed.ends[-2][1], killed.last} or "is damaged" in str(found)
    else:
        assert isinstance(found, str), f"commits behind byte {offset} are lost, and nothing was said"
        assert "is damaged" in found


def cut_database(stopped: Original, path: Path, size: int) -> None:
    """Cut it: it is refused."""
    os.truncate(stopped.copy(path), size)
    assert isinstance(opened(path / NAME), str)


def flip_database(stopped: Original, path: Path, offset: int) -> None:
    """Make a byte wrong: every record is there, or the log is refused."""
    flip(stopped.copy(path), offset)
    found = opened(path / NAME)
    if not isinstance(found, str):
        assert found == stopped.last
        assert read_log(path / NAME) == read_log(stopped.folder / NAME)


Damage = tuple[Callable[[Original, Path, int], None], str]
DAMAGES: dict[str, Damage] = {
    "cut write-ahead log": (cut_write_ahead_log, "-wal"),
    "flip in write-ahead log": (flip_write_ahead_log, "-wal"),
    "cut database": (cut_database, ""),
    "flip in database": (flip_database, ""),
}
EDGES = (0, 1, 16, 18, 31, 32, 36, 40, 99, 100, 103, 512, 4095, 4096, 4097)
"""Where the headers of the two files are, and the pages'."""
SOME = 25
"""Places of one kind of damage that `make test` tries besides the edges; a place takes some 20 ms."""


def places(original: Original, side: str, chance: Random, some: int) -> Iterator[int]:
    """Give places in a file, all below its size."""
    yield from (chance.randrange(original.size(side)) for _ in range(some))


def damage(name: str, killed: Original, stopped: Original) -> tuple[Callable[[Path, int], None], Original, str]:
    break_it, side = DAMAGES[name]
    original = killed if side else stopped
    return lambda path, place: break_it(original, path, place), original, side


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_log_is_recovered_to_its_last_whole_batch_or_refused_by_name(
    name: str, killed: Original, stopped: Original, tmp_path: Path
) -> None:
    break_it, original, side = damage(name, killed, stopped)
    chance = Random(name)  # noqa: S311 - places of a test
    around = [end + more for end, _ in killed.ends for more in (-1, 0, 1)] if name.startswith("cut write") else []
    size = original.size(side)
    for place in sorted({*EDGES, *around, *places(original, side, chance, SOME)}):
        if 0 <= place < size:
            break_it(tmp_path / "copy", place)


@pytest.mark.proof
@pytest.mark.parametrize("name", DAMAGES)
def test_a_log_that_is_damaged_anywhere_is_recovered_or_refused(
    name: str,
    killed: Original,
    stopped: Original,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    seed = SystemRandom().getrandbits(32)
    print("seed", seed)  # noqa: T201 - to repeat a failing run with
    break_it, original, side = damage(name, killed, stopped)
    chance = Random(seed)  # noqa: S311 - places of a test
    done = 0
    for portion in portions(4_000, 100):
        for place in places(original, side, chance, portion):
            break_it(tmp_path / "copy", place)
        done += portion
    record_property(f"places of damage, {name}", done)


def test_a_torn_last_batch_is_left_out_and_the_engine_goes_on_behind_the_one_before(
    killed: Original, tmp_path: Path
) -> None:
    path = killed.copy(tmp_path / "copy")
    os.truncate(f"{path}-wal", killed.ends[-1][0] - 1)
    with closing(Log(path, projection)) as log:
        engine = begun(log)
        assert state(engine) == killed.ends[-2][1]
        work(engine, log, 3)
        end = state(engine)
    with closing(Log(path, projection)) as log:
        assert state(begun(log)) == end


def test_a_log_whose_write_ahead_log_is_all_that_is_left_is_refused(killed: Original, tmp_path: Path) -> None:
    path = killed.copy(tmp_path / "copy")
    path.unlink()
    assert "is missing, but its write-ahead log is there" in str(opened(path))


def test_a_batch_or_a_snapshot_that_is_not_what_was_written_is_refused(stopped: Original, tmp_path: Path) -> None:
    for statement, said in (
        ("UPDATE batch SET records = x'90' WHERE first_position > 1", "what was written at"),
        ("UPDATE snapshot SET state = x'80'", "what was written at"),
        ("UPDATE snapshot SET position = position - 1", "what was written at"),
        ("DELETE FROM batch", "it ends at position 0"),
        ("DROP TABLE jobs", "its tables are not those of format"),
    ):
        path = stopped.copy(tmp_path / "copy")
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute(statement)
        assert f"{path} is damaged: {said}" in str(opened(path))


def test_a_schema_that_is_no_text_any_more_is_refused(stopped: Original, tmp_path: Path) -> None:
    path = stopped.copy(tmp_path / "copy")
    flip(path, path.read_bytes().index(b"CREATE TABLE meta") + 3)
    assert f"{path} is not a log" in str(opened(path))


def test_a_damaged_statement_is_told_in_one_line(stopped: Original, tmp_path: Path) -> None:
    path = stopped.copy(tmp_path / "copy")
    with path.open("r+b") as file:
        file.seek(path.read_bytes().index(b"process_instance_key INTEGER NOT NULL,\n"))
        file.write(b"'")
    assert f"{path} is not a log" in str(opened(path))


def test_a_search_table_whose_structure_is_damaged_is_refused(stopped: Original, tmp_path: Path) -> None:
    path = stopped.copy(tmp_path / "copy")
    with closing(sqlite3.connect(path)) as database:
        [[page]] = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'jobs_by_state'")
    flip(path, (page - 1) * 4096 + 3)
    assert f"{path} is damaged: " in str(opened(path))


async def test_an_engine_says_of_a_damaged_log_what_it_is_and_leaves_it_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running(data=data) as engine, engine.stub() as stub:
        await deploy(stub, task("work"))
        for _ in range(3):
            await create(stub, "work")
        await engine.kill()
    flip(data / f"{NAME}-wal", 5000)
    before = contents(data / NAME)
    said = await refusal("--data", str(data), *ANY_PORTS)
    assert said.startswith(f"Error: {data / NAME} is damaged: a commit in {NAME}-wal cannot be read, and ")
    assert "Traceback" not in said
    assert contents(data / NAME) == before
