"""Golden logs: of each format one, as the release that wrote it did. `python -m tests.engine.golden` writes today's."""

import json
import lzma
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from saga.engine import projection
from saga.engine.core import Engine, Record
from saga.engine.log import FORMAT, Log
from tests.engine.core.bench import Bench
from tests.engine.core.scenario import FORM, create, play

FOLDER = Path(__file__).parent / "golden_logs"
HOW = (
    "Logs that users have are like the golden log. If its format was released, raise FORMAT in "
    "workers/saga/engine/log_check.py, go on reading the one before, and add the new format's golden log; "
    "else write it anew. Both is done by `python -m tests.engine.golden`."
)
"""What to do when a format has changed."""
_BATCH = 9


def records() -> list[Record]:
    """Return a log with every kind of command, and with something left of every kind of entity."""
    bench = Bench()
    play(bench)
    bench.deploy(FORM, name="f.form")
    create(bench, k="7", n=1, manual=False)
    bench.complete("a")
    create(bench, k="8", n=1, manual=True)
    bench.complete("a")
    create(bench, k="9", n=1)
    bench.fail(bench.job("a")["key"], 0, "boom")
    bench.create("common")
    bench.publish("nobody", "9", ttl=1_000_000_000, message_id="kept")
    return bench.log


def write() -> None:
    """Write the golden log of this format, with a snapshot in its middle."""
    log_records = records()
    engine = Engine()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        with closing(Log(path, projection)) as log:
            log.create(log_records[:1])
            engine.replay(log_records[0])
            for first in range(1, len(log_records), _BATCH):
                batch = log_records[first : first + _BATCH]
                log.append(batch)
                for record in batch:
                    engine.replay(record)
                if log.snapshot() is None and first > len(log_records) // 2:
                    log.save_snapshot(engine.snapshot(), engine.position)
        golden(FORMAT).write_bytes(lzma.compress(path.read_bytes()))
    told = {"position": engine.position, "digest": engine.digest()}
    golden(FORMAT).with_suffix(".json").write_text(json.dumps(told) + "\n", encoding="utf-8")


def golden(number: int) -> Path:
    """Return where the golden log of a format is; beside it is what it is replayed to."""
    return FOLDER / f"format-{number}.xz"


def shape(log_records: Iterable[Record]) -> dict[str, Any]:
    """Return what the records are made of: the fields of each kind's values, and their types."""
    found: dict[str, set[str]] = {"Record": set(Record.__struct_fields__)}
    for record in log_records:
        kind = f"{record.record_type} {record.value_type} {record.intent}"
        found.setdefault(kind, set()).update(_fields("", record.value))
    return found


def _fields(name: str, value: object) -> Iterable[str]:
    yield f"{name}: {type(value).__name__}"
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _fields(f"{name}.{key}", each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _fields(f"{name}[]", each)


if __name__ == "__main__":
    write()
