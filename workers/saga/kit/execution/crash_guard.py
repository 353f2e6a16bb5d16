"""Count how often a job was begun and never answered: what kills its worker must not come back for ever.

A lease that runs out uses up none of the job's retries, so the broker gives a job that kills its worker out again and
again. Only the workers can count that, and their memory dies with them. So the keys of the jobs that run are kept in
a file that is mapped into memory: two stores per job, and the kernel keeps them when the process is killed.

Of the jobs that ran when a worker died, one is to blame. The others must not be blamed with it: each of them is run
again with no other suspect beside it, so that the next death tells which one it was.
"""

import asyncio
import errno
import fcntl
import mmap
import os
import struct
import time
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from typing import Self

_RECORD = struct.Struct("<qqq")
"""A job's key, how often it was begun without an answer, and when last, in seconds since the epoch; key 0 is free."""
_RECORDS = 4096
"""Jobs that one process can keep: those in its window, and the suspects of those before it."""
_SIZE = _RECORD.size * _RECORDS
_CLEAR = _RECORD.pack(0, 0, 0)
_FORGOTTEN = 86_400
"""Seconds after which a suspect that never came back here is forgotten: another worker answered it."""


class Journal:
    """The file of one process; it outlives the process, and the next one on this machine reads it."""

    def __init__(self, file: FileIO) -> None:
        """Map a file that nobody else has locked.

        Raises:
            OSError: The disk has no room for it.
        """
        self._file = file
        # Written whole, so that its blocks are there: a store to a mapped hole of a full disk kills the process.
        records = file.read(_SIZE).ljust(_SIZE, b"\0")
        file.seek(0)
        if file.write(records) != _SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._records = mmap.mmap(file.fileno(), _SIZE)
        self.begun: dict[int, int] = {}
        """What the process before left: how often each job was begun without an answer."""
        self._places: dict[int, int] = {}
        self._free = []
        for place in range(_RECORDS - 1, -1, -1):
            key, count, when = _RECORD.unpack_from(self._records, place * _RECORD.size)
            if key and when > time.time() - _FORGOTTEN:
                self.begun[key] = count
                self._places[key] = place
            else:
                self._free.append(place)

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Take over the journal of a process that is gone, or begin one, in `directory`.

        Raises:
            OSError: The directory cannot be made or written.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = 0
        while True:
            with ExitStack() as stack:
                descriptor = os.open(directory / f"{number}.journal", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                file = stack.enter_context(os.fdopen(descriptor, "r+b", buffering=0))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # The kernel gives it up with the process.
                except BlockingIOError:
                    number += 1
                    continue
                journal = cls(file)
                stack.pop_all()
                return journal

    def begin(self, key: int, count: int) -> None:
        """Keep that the job was begun for the `count`th time."""
        place = self._places.get(key)
        if place is None:
            if not self._free:
                self.end(next(iter(self._places)))  # The oldest: nobody has so many in hand.
            place = self._places[key] = self._free.pop()
        _RECORD.pack_into(self._records, place * _RECORD.size, key, count, int(time.time()))

    def end(self, key: int) -> None:
        """Forget the job: it was answered."""
        place = self._places.pop(key, None)
        if place is not None:
            self._records[place * _RECORD.size : (place + 1) * _RECORD.size] = _CLEAR
            self._free.append(place)

    def close(self) -> None:
        """Give the file to the next process."""
        if not self._file.closed:
            self._records.close()
            self._file.close()


class CrashGuard:
    """How often each job was begun without being answered, by this process and, with a journal, those before it."""

    def __init__(self, most: int, journal: Journal | None = None) -> None:
        """Let a job be begun `most` times."""
        self.most = most
        self._journal = journal
        self._begun = dict(journal.begun) if journal else {}
        self._suspects = set(self._begun)
        self.one_suspect = asyncio.Lock()
        """Held by the one suspect that runs: a job that ran when a worker died."""

    def are_used_up(self, key: int) -> bool:
        """Tell whether the job was begun so often that it must not be begun again."""
        return self._begun.get(key, 0) >= self.most

    def is_suspect(self, key: int) -> bool:
        """Tell whether the job ran when a worker of this machine died."""
        return key in self._suspects

    def begin(self, key: int) -> None:
        """Count one more activation, before anything of it is run."""
        count = self._begun.pop(key, 0) + 1
        if len(self._begun) >= _RECORDS:
            self._begun.pop(next(iter(self._begun)))  # The oldest: nobody has so many in hand.
        self._begun[key] = count
        if self._journal is not None:
            self._journal.begin(key, count)

    def end(self, key: int) -> None:
        """Forget the job: the broker has its answer, and counts its retries itself."""
        self._begun.pop(key, None)
        self._suspects.discard(key)
        if self._journal is not None:
            self._journal.end(key)
