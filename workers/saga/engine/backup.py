"""`saga engine backup`: one file that has all of a log, made while an engine writes it or not."""

import os
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from .arguments import make_parser
from .errors import CommandError
from .folder import LOG, is_in_use, sync_folder
from .log_check import check_format, check_wal, open_read_only

_BUSY = 30.0
"""Seconds to wait for a lock: an engine that starts or stops holds one for a moment."""


class BackupError(CommandError):
    """There is no backup, and no file that looks like one."""


def run(arguments: Sequence[str], name: str) -> None:
    """Back up a log as the command line says, and print where it is; `name` is the command's.

    Raises:
        CommandError: There is no backup; the message says why.
        SystemExit: The arguments are wrong, or ask for help.
    """
    parser = make_parser(name, "Copy the log of an engine, running or not, to a new file.")
    parser.add_argument("file", type=Path, metavar="FILE", help="where the copy goes; it must not exist")
    data = Path("engine-data")
    parser.add_argument("--data", type=Path, default=data, help="the engine's data folder (%(default)s)")
    given = parser.parse_args(arguments)
    back_up(given.data / LOG, given.file)
    size = given.file.stat().st_size / 1e6
    print(f"{given.file.absolute()}: {size:.1f} MB")  # noqa: T201 - it is what the command says


def back_up(log: Path, file: Path) -> None:
    """Copy a log to a new file; it has every batch that was committed before the call.

    Raises:
        LogError: (of log_check) The log cannot be read by this release, or is damaged.
        BackupError: There is no log, the file exists, or the copy cannot be written.
    """
    if not log.exists():
        message = f"{log.parent} holds no log. Name the engine's data folder with --data."
        raise BackupError(message)
    check_format(log)
    if not is_in_use(log.parent):
        check_wal(log)
    if os.path.lexists(file):
        message = f"{file} exists. Name a new file: a backup overwrites none."
        raise BackupError(message)
    try:
        _copy_whole(log, file)
    except OSError as error:
        message = f"{file} cannot be written: {error.strerror}. Name another file."
        raise BackupError(message) from None
    except sqlite3.Error as error:
        message = f"{log} could not be copied to {file}: {error}. There is no backup."
        raise BackupError(message) from None


def _copy_whole(log: Path, file: Path) -> None:
    """Write the copy under another name beside `file`, and rename it once it is on the disk."""
    # The file is its owner's alone: it has what instances are about.
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".part", dir=file.absolute().parent)
    part = Path(name)
    try:
        _copy(log, part)
        os.fsync(handle)
        part.rename(file)
        sync_folder(file.absolute().parent)
    finally:
        os.close(handle)
        with suppress(FileNotFoundError):
            part.unlink()


def _copy(log: Path, part: Path) -> None:
    with (
        closing(open_read_only(log, _BUSY)) as source,
        closing(sqlite3.connect(part, isolation_level=None)) as copy,
    ):
        # A crash leaves no backup, whatever it does to this file.
        copy.execute("PRAGMA synchronous = OFF")
        # In one step: it is one read transaction, which commits of the engine neither change nor start anew.
        source.backup(copy)
        # One file, with no write-ahead log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
        found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        message = f"{log} is damaged ({found}). There is no backup of it; keep the older ones."
        raise BackupError(message)
