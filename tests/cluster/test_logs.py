"""`saga logs` reads the files of the parts."""

from itertools import islice
from pathlib import Path
from threading import Timer

import pytest

from saga.stack.logs import follow, tail


@pytest.mark.parametrize("count", [0, 1, 3, 5000, 20_000])
def test_the_tail_is_the_last_lines_however_long_the_file(tmp_path: Path, count: int) -> None:
    log = tmp_path / "part.log"
    lines = [f"line {number} ".ljust(40, "x") for number in range(10_000)]
    log.write_text("\n".join(lines) + "\n")
    assert tail(log, count) == (lines[-count:] if count else [])


def test_a_part_that_never_ran_has_no_lines(tmp_path: Path) -> None:
    assert tail(tmp_path / "part.log", 10) == []


def test_following_shows_what_is_added_and_starts_over_with_a_new_run(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("a line from before\n")

    def add() -> None:
        with log.open("a") as file:
            file.write("one\ntwo\nhalf a")

    lines = follow({"part": log})
    adding = Timer(0.2, add)
    adding.start()
    assert list(islice(lines, 2)) == [("part", "one"), ("part", "two")]
    adding.join()
    log.write_text("new\n")
    assert list(islice(lines, 1)) == [("part", "new")]
