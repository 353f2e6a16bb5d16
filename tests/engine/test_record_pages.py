"""`saga engine records`: what a running engine has committed, as lines for scripts."""

import asyncio
import json
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from saga.engine.compaction import compact
from saga.engine.core.times import FAR
from saga.engine.record_pages import RecordsError, pages, run
from tests.engine.process import COMMAND, TIMEOUT, EngineProcess, create, deploy, running, task
from tests.engine.test_records import asking, every


def printed(engine: EngineProcess, position: int = 0) -> list[dict[str, Any]]:
    """Return all records from a position on."""
    return [
        json.loads(line) for page in pages(engine.management, position, follow=False) for line in page.split("\n")[:-1]
    ]


def refused(address: str, position: int = 0) -> str:
    """Return why records cannot be read."""
    with pytest.raises(RecordsError) as error:
        list(pages(address, position, follow=False))
    return str(error.value)


async def command(*options: str) -> tuple[int | None, str, str]:
    """Run the command; return its status, what it printed, and what it printed as errors."""
    process = await asyncio.create_subprocess_exec(*COMMAND, "records", *options, stdout=PIPE, stderr=PIPE)
    output, errors = await asyncio.wait_for(process.communicate(), TIMEOUT)
    return process.returncode, output.decode(), errors.decode()


@asynccontextmanager
async def following(engine: EngineProcess) -> AsyncIterator[Process]:
    """Follow an engine's records."""
    given = (*COMMAND, "records", "--follow", "--address", engine.management)
    # A page may be longer than what asyncio takes for a line by default.
    process = await asyncio.create_subprocess_exec(*given, stdout=PIPE, stderr=PIPE, limit=1 << 22)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def read(process: Process) -> dict[str, Any]:
    assert process.stdout
    found: dict[str, Any] = json.loads(await asyncio.wait_for(process.stdout.readline(), TIMEOUT))
    return found


async def test_it_prints_every_record_of_the_log_and_from_a_position_on_the_rest(tmp_path: Path) -> None:
    async with running("--values", data=tmp_path / "data") as engine, engine.stub() as stub, asking(engine) as http:
        await deploy(stub, task("work"))
        # More than a page: each of these instances has a variable of 200 kB.
        for number in range(8):
            await create(stub, "work", json.dumps({"number": number, "large": "é" * 200_000}))
        committed = await every(http)
        status, output, errors = await command("--address", engine.management)
        assert (status, errors) == (0, "")
        assert [json.loads(line) for line in output.split("\n")[:-1]] == committed
        assert printed(engine, committed[20]["position"]) == committed[20:]
        assert printed(engine, committed[-1]["position"] + 1) == []


async def test_it_follows_until_ctrl_c(saga_engine: EngineProcess, job_type: str) -> None:
    async with following(saga_engine) as process, saga_engine.stub() as stub, asking(saga_engine) as http:
        last = (await every(http))[-1]["position"]
        found = [await read(process)]
        while found[-1]["position"] < last:
            found.append(await read(process))
        await deploy(stub, task(job_type))
        found.append(await read(process))
        while found[-1]["intent"] != "CREATED" or found[-1]["valueType"] != "PROCESS":
            found.append(await read(process))
        assert [each["position"] for each in found] == list(range(1, len(found) + 1))
        process.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(process.communicate(), TIMEOUT)
        assert (process.returncode, errors) == (0, b"")


async def test_it_ends_with_a_sentence_when_the_engine_it_follows_has_gone(tmp_path: Path) -> None:
    async with running(data=tmp_path / "data") as engine, following(engine) as process:
        assert (await read(process))["valueType"] == "ENGINE"
        assert await engine.stop() == 0
        _, errors = await asyncio.wait_for(process.communicate(), TIMEOUT)
        assert process.returncode == 1
        assert errors.decode().startswith(f"Error: No engine answers at {engine.management}")


async def test_a_reader_that_has_enough_ends_it_without_a_word(saga_engine: EngineProcess) -> None:
    script = f"{sys.executable} -m saga.cli engine records --follow --address {saga_engine.management} | head -1"
    process = await asyncio.create_subprocess_shell(script, stdout=PIPE, stderr=PIPE)
    # The pipe is found closed when there is something to write.
    talking = asyncio.create_task(_talk(saga_engine))
    output, errors = await asyncio.wait_for(process.communicate(), TIMEOUT)
    talking.cancel()
    assert json.loads(output)["position"] == 1
    assert errors == b""


async def _talk(engine: EngineProcess) -> None:
    async with engine.stub() as stub:
        while True:
            await deploy(stub, task("talk"))


async def test_a_full_disk_ends_it_with_a_sentence(saga_engine: EngineProcess) -> None:
    script = f"{sys.executable} -m saga.cli engine records --follow --address {saga_engine.management} > /dev/full"
    process = await asyncio.create_subprocess_shell(script, stdout=PIPE, stderr=PIPE)
    _, errors = await asyncio.wait_for(process.communicate(), TIMEOUT)
    assert process.returncode == 1
    assert errors == b"Error: the output could not be written: No space left on device.\n"


async def test_an_engine_that_is_not_there_is_a_sentence() -> None:
    status, output, errors = await command("--address", "127.0.0.1:1")
    assert (status, output) == (1, "")
    assert errors == (
        "Error: No engine answers at 127.0.0.1:1 (Connection refused). "
        "Start it, or name its management port with --address.\n"
    )


def test_another_port_of_the_engine_is_a_sentence(saga_engine: EngineProcess) -> None:
    assert "this is not the management port of an engine" in refused(saga_engine.rest)
    assert "No engine answers" in refused(saga_engine.gateway)


@pytest.mark.parametrize("address", ["", "9600", "host", "host:x", "host:0", "host:99999", "a@b:1", "h:1/x", "[::1"])
def test_what_is_no_address_is_refused_by_name(address: str) -> None:
    assert f"{address!r} is not an address" in refused(address)


def test_what_is_no_position_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    for position in ("-1", "x", "1.5", "²", str(1 << 63)):
        with pytest.raises(SystemExit, match="2"):
            run(["--from", position], "saga engine records")
        assert f"{position} is not a position" in capsys.readouterr().err


async def test_a_position_before_the_logs_first_is_a_sentence(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running(data=data) as engine, engine.stub() as stub:
        await deploy(stub, task("work"))
        assert await engine.stop() == 0
    with closing(sqlite3.connect(data / "engine.sqlite", isolation_level=None)) as log:
        compact(log, before=FAR)
        [[first]] = log.execute("SELECT min(first_position) FROM batch")
    assert first > 1
    async with running(data=data) as engine:
        said = refused(engine.management, 1)
        assert said == f"The log begins at position {first}: the records before it are gone. Ask for from={first}."
        assert printed(engine)[0]["position"] == first


async def test_an_engine_with_tokens_is_asked_with_the_files_first(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("secret\nother\n")
    async with running("--token-file", str(tokens)) as engine:
        assert "A token is needed" in refused(engine.management)
        status, output, _ = await command("--address", engine.management, "--token-file", str(tokens))
        assert status == 0
        assert json.loads(output)["valueType"] == "ENGINE"
