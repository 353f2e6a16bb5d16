"""A process in the foreground ends when its work is done."""

import subprocess
import sys

from tests.stack import ROOT

_PROGRAM = """
import asyncio, time
from saga.cli import foreground

async def refuses():
    while True:
        try:
            await asyncio.sleep(60.0)
        except asyncio.CancelledError:
            pass

async def work():
    left = asyncio.create_task(refuses())
    thread = asyncio.create_task(asyncio.to_thread(time.sleep, 60.0))
    await asyncio.sleep(0.1)
    left.cancel(), thread.cancel()
    print("done")
    {end}

foreground.run(work())
"""


def run(end: str = "return") -> "subprocess.CompletedProcess[str]":
    program = (sys.executable, "-c", _PROGRAM.format(end=end))
    return subprocess.run(program, check=False, capture_output=True, text=True, cwd=ROOT, timeout=20.0)


def test_what_its_steps_have_left_behind_keeps_it_from_nothing() -> None:
    done = run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_a_bug_ends_it_with_a_status_that_says_so() -> None:
    done = run("raise RuntimeError('as asked for')")
    assert done.returncode == 1
    assert "as asked for" in done.stderr
