"""Jobs that are begun and never answered: counted past the death of the worker, and ended as an incident."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.kit.execution.crash_guard import CrashGuard, Journal
from tests.kit.bench import AT_ONCE, Bench, Seen, until, working
from tests.kit.gateway import ScriptedGateway, serving
from tests.stack import ROOT


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal.open(tmp_path)
    yield journal
    journal.close()


def left_behind(journal: Journal, folder: Path) -> dict[int, int]:
    """End the process that has this journal, and say what the next one finds."""
    journal.close()
    after = Journal.open(folder)
    after.close()
    return after.begun


def test_what_a_process_had_begun_is_known_to_the_next_one(journal: Journal, tmp_path: Path) -> None:
    journal.begin(7, 1)
    journal.begin(8, 2)
    journal.begin(9, 1)
    journal.end(9)
    assert left_behind(journal, tmp_path) == {7: 1, 8: 2}


def test_what_was_answered_is_forgotten_for_good(journal: Journal, tmp_path: Path) -> None:
    journal.begin(7, 1)
    journal.close()
    after = Journal.open(tmp_path)
    after.end(7)
    assert left_behind(after, tmp_path) == {}


def test_processes_that_live_have_journals_of_their_own(journal: Journal, tmp_path: Path) -> None:
    journal.begin(7, 1)
    other = Journal.open(tmp_path)
    assert other.begun == {}
    other.close()


def test_a_quarantined_job_that_is_never_activated_again_is_forgotten_after_a_day(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.begin(7, 1)
    now = time.time()
    monkeypatch.setattr("saga.kit.execution.crash_guard.time.time", lambda: now + 2 * 86_400)
    assert left_behind(journal, tmp_path) == {}


def test_more_jobs_than_it_has_places_for_break_nothing(journal: Journal, tmp_path: Path) -> None:
    for key in range(1, 5_001):
        journal.begin(key, 1)
    for key in range(1, 5_001):
        journal.end(key)
    journal.begin(9_999, 1)
    assert left_behind(journal, tmp_path) == {9_999: 1}


def test_a_job_may_be_begun_so_often_and_no_more(tmp_path: Path) -> None:
    begun = []
    for other in (8, 9, 10):
        journal = Journal.open(tmp_path)
        guard = CrashGuard(2, journal)
        begun.append((guard.begin(7), guard.begin(other)))
        journal.close()
    assert begun == [(True, True), (True, True), (False, True)]


async def test_a_job_that_was_begun_too_often_is_an_incident_that_says_so(
    gateway: ScriptedGateway, bench: Bench, journal: Journal
) -> None:
    journal.begun[7] = 3
    gateway.push(gateway.job(key=7), gateway.job(key=8))
    bench.go.set()
    async with working(gateway, bench.step, crash_guard=CrashGuard(3, journal)):
        await until(lambda: len(gateway.told) == 2)
    incident = next(request for request in gateway.told if request.jobKey == 7)
    assert isinstance(incident, pb.FailJobRequest)
    assert incident.retries == 0
    assert "work was activated 3 times and never answered" in incident.errorMessage
    assert bench.runs == 1


async def test_a_retried_incident_gets_its_activations_anew(
    gateway: ScriptedGateway, bench: Bench, journal: Journal
) -> None:
    journal.begun[7] = 3
    bench.go.set()
    async with working(gateway, bench.step, crash_guard=CrashGuard(3, journal)) as worker:
        gateway.push(gateway.job(key=7))
        await until(lambda: len(gateway.told) == 1 and not worker.active)  # the reply is there too
        gateway.push(gateway.job(key=7))
        await until(lambda: len(gateway.told) == 2)
    assert isinstance(gateway.told[1], pb.CompleteJobRequest)


async def test_quarantined_jobs_run_one_at_a_time_and_others_beside_them(
    gateway: ScriptedGateway, bench: Bench, journal: Journal
) -> None:
    journal.begun.update({7: 1, 8: 1})
    seen = Seen()
    gateway.push(gateway.job(key=7), gateway.job(key=8), gateway.job(key=9))
    async with working(gateway, bench.step, seen, crash_guard=CrashGuard(3, journal)):
        await until(lambda: bench.running == 2)
        bench.go.set()
        await until(lambda: len(seen.jobs) == 3)
    assert bench.most_running == 2


async def test_a_job_that_kills_its_worker_becomes_an_incident_and_those_beside_it_do_not(
    gateway: ScriptedGateway, tmp_path: Path
) -> None:
    poison = gateway.job(key=13, name="poison")
    others = [gateway.job(key=key) for key in (1, 2, 3)]
    statuses = []

    def give_out_again(request: object) -> None:
        if isinstance(request, pb.FailJobRequest) and request.retries:
            gateway.told.remove(request)
            gateway.push(next(job for job in others if job.key == request.jobKey))

    gateway.verdict = give_out_again
    async with serving(gateway) as address:
        for _ in range(6):
            answered = {request.jobKey for request in gateway.told}
            # What the broker does once the leases of the dead worker are over.
            gateway.push(*(job for job in [poison, *others] if job.key not in answered))
            command = [sys.executable, "-m", "tests.kit.mortal", address, str(tmp_path)]
            worker = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=subprocess.DEVNULL)
            ended = asyncio.create_task(worker.wait())
            told = asyncio.create_task(until(lambda: len(gateway.told) == 4))
            await asyncio.wait([ended, told], return_when=asyncio.FIRST_COMPLETED)
            if told.done():
                worker.terminate()
            else:
                told.cancel()
            statuses.append(await ended)
            if len(gateway.told) == 4:
                break
            gateway.forget_pushed()
    incidents = [request for request in gateway.told if isinstance(request, pb.FailJobRequest)]
    assert [(request.jobKey, request.retries) for request in incidents] == [(13, 0)]
    assert incidents[0].errorMessage.startswith("Saga poison: work was activated 3 times and never answered")
    assert {request.jobKey for request in gateway.told} == {1, 2, 3, 13}
    assert statuses == [-signal.SIGKILL, -signal.SIGKILL, -signal.SIGKILL, 0]
    assert all(json.loads(r.variables) for r in gateway.told if isinstance(r, pb.CompleteJobRequest))


async def test_quarantined_jobs_that_wait_long_for_another_are_put_off_and_take_no_slot(
    gateway: ScriptedGateway, bench: Bench, journal: Journal
) -> None:
    timing = replace(AT_ONCE, quarantine_timeout=0.1)
    journal.begun.update(dict.fromkeys((1, 2, 3, 4), 1))
    gateway.push(*(gateway.job(key=key) for key in (1, 2, 3, 4)))
    guard = CrashGuard(3, journal)
    async with working(gateway, bench.step, crash_guard=guard, timing=timing, window_per_type=2) as worker:
        await until(lambda: worker.waiting == {"work": 3})
        gateway.push(gateway.job(key=5))
        await until(lambda: bench.running == 2)


@pytest.mark.parametrize(("quarantine", "put_off"), [(0.1, 1), (60.0, 0)], ids=["put off", "next"])
async def test_a_stop_does_not_forget_quarantined_jobs_that_were_not_admitted(
    gateway: ScriptedGateway,
    bench: Bench,
    journal: Journal,
    tmp_path: Path,
    quarantine: float,
    put_off: int,
) -> None:
    timing = replace(AT_ONCE, quarantine_timeout=quarantine)
    for key in (1, 2):
        journal.begin(key, 2)
        journal.begun[key] = 2
    gateway.push(*(gateway.job(key=key) for key in (1, 2)))
    async with working(gateway, bench.step, crash_guard=CrashGuard(3, journal), timing=timing) as worker:
        expected = 1, put_off, 2 - put_off
        await until(lambda: (bench.running, worker.waiting.total(), worker.active.total()) == expected)
    assert {request.jobKey for request in gateway.told} == {1, 2}, "both were released"
    assert left_behind(journal, tmp_path) == {2: 2}


def test_its_place_on_the_disk_is_taken_before_it_is_needed(journal: Journal, tmp_path: Path) -> None:
    assert journal.begun == {}
    (file,) = tmp_path.glob("*.journal")
    assert file.stat().st_blocks * 512 >= file.stat().st_size > 0


def test_a_full_disk_is_said_when_it_is_opened(tmp_path: Path) -> None:
    class FullDisk(FileIO):
        """A fake: it takes less than it is given, as a disk does that is full by then."""

        def write(self, content: Any) -> int:  # noqa: ANN401 - anything that holds bytes
            return super().write(memoryview(content)[:100])

    with FullDisk(tmp_path / "0.journal", "w+b") as file, pytest.raises(OSError, match="No space left"):
        Journal(file)
