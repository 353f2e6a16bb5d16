"""One command at a time, and nothing leaves before its batch is on the disk."""

import asyncio
import json
import sqlite3

import pytest

from saga.engine.admission import MAX_COMMANDS
from saga.engine.core import Command, Rejection
from saga.engine.errors import Busy, Overdue, Stopping
from tests.engine.writing import create, creation, wanted, writing


async def test_of_two_completions_of_one_job_in_one_batch_exactly_one_is_accepted() -> None:
    async with writing() as (writer, log):
        await create(writer)
        [job] = (await writer.activate(wanted(), 1, -1)).jobs
        await log.hold()
        blocker = asyncio.create_task(writer.send(creation()))
        await log.begun.wait()
        complete = Command("JOB", "COMPLETE", job["key"], {"variables": ""})
        both = [asyncio.create_task(writer.send(complete)) for _ in range(2)]
        await asyncio.sleep(0)
        log.release()
        await blocker
        first, second = await asyncio.gather(*both, return_exceptions=True)
        assert first == {}
        assert isinstance(second, Rejection)
        assert second.code == "NOT_FOUND"
        commands = [each for each in log.batches[-1] if each.record_type == "COMMAND" and each.intent == "COMPLETE"]
        assert len(commands) == 2


async def test_neither_an_answer_nor_a_rejection_nor_a_pushed_job_leaves_before_the_commit() -> None:
    async with writing() as (writer, log):
        stream = writer.open_stream(wanted())
        poll = asyncio.create_task(writer.activate(wanted(), 1, 60_000))
        with pytest.raises(Rejection):
            await writer.send(Command("JOB", "COMPLETE", 42, {"variables": ""}))
        await log.hold()
        pushed = asyncio.create_task(anext(stream))
        created = asyncio.create_task(writer.send(creation()))
        refused = asyncio.create_task(writer.send(Command("JOB", "COMPLETE", 42, {"variables": ""})))
        await log.begun.wait()
        done, waiting = await asyncio.wait([pushed, created, refused, poll], timeout=0.2)
        assert not done
        log.release()
        await asyncio.wait([pushed, created, refused])
        assert pushed.result()["processInstanceKey"] == created.result()["processInstanceKey"]
        assert isinstance(refused.exception(), Rejection)
        assert poll in waiting
        poll.cancel()
        writer.close_stream(stream)


async def test_a_poll_gets_its_job_in_the_batch_that_creates_it() -> None:
    async with writing() as (writer, log):
        poll = asyncio.create_task(writer.activate(wanted(), 1, 60_000))
        # The poll has been tried once its batch is committed, which another answer of that batch shows.
        await writer.send(Command("CLOCK", "RESET"))
        before = len(log.batches)
        instance = await create(writer)
        [job] = (await poll).jobs
        assert job["processInstanceKey"] == instance
        assert len(log.batches) == before + 1


async def test_a_request_that_is_cancelled_takes_nothing_from_the_others_of_its_batch() -> None:
    async with writing() as (writer, log):
        await log.hold()
        cancelled, other = (asyncio.create_task(writer.send(creation())) for _ in range(2))
        await log.begun.wait()
        cancelled.cancel()
        await asyncio.sleep(0)
        log.release()
        assert (await other)["processInstanceKey"]
        with pytest.raises(asyncio.CancelledError):
            await cancelled


async def test_more_commands_than_may_wait_are_refused_and_the_others_carried_out() -> None:
    async with writing() as (writer, log):
        await log.hold()
        first = asyncio.create_task(writer.send(creation()))
        await log.begun.wait()
        missing = Command("JOB", "COMPLETE", 42, {"variables": ""})
        waiting = [asyncio.create_task(writer.send(missing)) for _ in range(MAX_COMMANDS)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await writer.send(missing)
        with pytest.raises(Busy):
            await writer.activate(wanted(), 1, -1)
        log.release()
        assert await first
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(each, Rejection) for each in answers)


async def test_a_result_that_is_late_ends_the_wait_and_the_instance_goes_on() -> None:
    async with writing() as (writer, _):
        with pytest.raises(Overdue):
            await writer.create_with_result(dict(creation().value), 50)
        [job] = (await writer.activate(wanted(), 1, -1)).jobs
        assert await writer.send(Command("JOB", "COMPLETE", job["key"], {"variables": ""})) == {}


async def test_a_result_brings_the_variables_at_the_end() -> None:
    async with writing() as (writer, _):
        result = asyncio.create_task(writer.create_with_result(dict(creation(variables='{"a":1}').value), 0))
        [job] = (await writer.activate(wanted(), 1, 0)).jobs
        await writer.send(Command("JOB", "COMPLETE", job["key"], {"variables": '{"b":2}'}))
        assert json.loads((await result)["variables"]) == {"a": 1, "b": 2}


async def test_stopping_ends_polls_streams_and_waits_for_results() -> None:
    async with writing() as (writer, _):
        stream = writer.open_stream(wanted("other"))
        waits = [
            asyncio.create_task(writer.activate(wanted("third"), 1, 60_000)),
            asyncio.create_task(writer.create_with_result(dict(creation().value), 60_000)),
            asyncio.create_task(anext(stream)),
        ]
        await create(writer)
        writer.stop()
        ends = await asyncio.gather(*waits, return_exceptions=True)
        assert [type(each) for each in ends] == [Stopping] * 3
        with pytest.raises(Stopping):
            await writer.send(creation())
        writer.close_stream(stream)


async def test_a_wait_for_a_result_that_began_just_before_the_stop_ends_as_well() -> None:
    async with writing() as (writer, log):
        await log.hold()
        blocker = asyncio.create_task(writer.send(creation()))
        await log.begun.wait()
        result = asyncio.create_task(writer.create_with_result(dict(creation().value), 60_000))
        await asyncio.sleep(0)
        writer.stop()
        log.release()
        await blocker
        with pytest.raises(Stopping):
            await result


async def test_a_timed_out_job_is_given_to_the_next_poll() -> None:
    async with writing() as (writer, _):
        await create(writer)
        [job] = (await writer.activate(wanted()._replace(timeout=1), 1, -1)).jobs
        [again] = (await writer.activate(wanted(), 1, 10_000)).jobs
        assert again["key"] == job["key"]


async def test_a_snapshot_that_cannot_be_stored_at_the_end_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_state: bytes, _position: int) -> None:
        message = "database or disk is full"
        raise sqlite3.OperationalError(message)

    async with writing() as (writer, log):
        monkeypatch.setattr(log, "save_snapshot", fail)
        await create(writer)
    said = "saga engine: No snapshot was stored (database or disk is full); the next start reads all records.\n"
    assert capsys.readouterr().err == said
