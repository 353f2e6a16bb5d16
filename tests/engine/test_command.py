"""The command line: what it makes of its options, and what it refuses."""

from pathlib import Path

import pytest

from saga.engine.command import parse
from saga.engine.errors import CannotStart


def test_without_options_an_engine_keeps_its_log_below_the_current_folder_and_listens_on_loopback() -> None:
    options = parse([], "saga engine")
    assert options.data == Path("engine-data")
    assert (options.host, options.port, options.rest_port, options.management_port) == ("127.0.0.1", 26500, 8080, 9600)
    assert not options.controlled_clock
    assert not options.shows_values
    assert options.first_key is None
    assert options.retention is None


def test_each_option_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("secret")
    line = (
        f"--data {tmp_path} --host ::1 --port 1 --rest-port 2 --management-port 3 --clock controlled "
        f"--fault crash:after-commit,5 --token-file {tmp_path}/tokens --allowed-host A --allowed-host b "
        "--time-zone Europe/Berlin --first-key 0 --values --retention P1DT2H"
    )
    options = parse(line.split(), "saga engine")
    assert options.data == tmp_path
    assert (options.host, options.port, options.rest_port, options.management_port) == ("::1", 1, 2, 3)
    assert (options.controlled_clock, options.fault) == (True, "crash:after-commit,5")
    assert (options.zone, options.first_key, options.shows_values) == ("Europe/Berlin", 0, True)
    assert options.retention == 26 * 3_600_000
    assert options.access.hosts >= {"a", "b"}
    assert options.access.knows("Bearer secret")


def test_memory_keeps_no_data() -> None:
    assert parse(["--memory"], "saga engine").data is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--memory --data x", "not allowed with"),
        ("--port 70000", "70000 is not a port"),
        ("--first-key -1", "-1 is not a number"),
        ("--clock broken", "invalid choice"),
        ("--retention 7", "7 is not a duration of a second or more, such as P7D"),
        ("--retention PT0.9S", "PT0.9S is not a duration"),
        ("--retention=-P7D", "-P7D is not a duration"),
        ("--retention P\u0667D", "is not a duration"),
        ("--mem", "unrecognized arguments"),
    ],
)
def test_wrong_arguments_are_refused(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(line.split(), "saga engine")
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(CannotStart, match="no time zone 'Mars/Olympus'"):
        parse(["--time-zone", "Mars/Olympus"], "saga engine")
