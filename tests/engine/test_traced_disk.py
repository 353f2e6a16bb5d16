"""No answer leaves before what it rests on is on the disk: traced where SQLite asks the operating system."""

import asyncio
from contextlib import closing
from pathlib import Path

from saga.engine import projection
from saga.engine.core import Command, Engine
from saga.engine.log import Log
from saga.engine.recovery import recover
from saga.engine.writer import Writer
from tests.engine.process import task
from tests.engine.traced_disk import Access, traced
from tests.engine.writing import NOW, creation

DEPLOY = Command("DEPLOYMENT", "CREATE", value={"resources": [{"resourceName": "work.bpmn", "resource": task("work")}]})


async def test_each_answer_comes_after_its_write_ahead_log_was_flushed(tmp_path: Path) -> None:
    path = tmp_path / "engine.sqlite"
    flushed = Access(f"{path}-wal", "sync")
    with traced() as accesses, closing(Log(path, projection)) as log:
        engine = Engine()
        recover(log, engine, now=NOW, first_key=0)
        writer = Writer(engine, log)
        writing = asyncio.create_task(writer.run())
        for command in (DEPLOY, *(creation(),) * 20):
            before = len(accesses)
            await writer.send(command)
            of_log = [each for each in accesses[before:] if each.file == flushed.file]
            assert flushed._replace(what="write") in of_log
            assert of_log[-1] == flushed
        writer.stop()
        writer.close()
        await writing
