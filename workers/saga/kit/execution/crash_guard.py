"""Count how often a job was begun without a reply: a poison job must not kill its workers for ever.

A lease that runs out costs a job no retry, so Zeebe activates a job that kills its worker again and again. Only the
workers can count that, and their memory dies with them. So the keys of running jobs are kept in a memory-mapped file:
two stores per job, which the kernel keeps when the process is killed.

Of the jobs that ran when a worker died, one is to blame. All of them are quarantined: each runs again with no other
quarantined job beside it, so that the next death shows which one it was.
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
"""A job's key, how often it was begun without a reply, and when last, in seconds since the epoch; key 0 is free."""
_RECORDS = 4096
"""Jobs that one process can keep: those in its window, and the quarantined ones of the processes before it."""
_SIZE = _RECORD.size * _RECORDS
_CLEAR = _RECORD.pack(0, 0, 0)
_QUARANTINE_ENDS = 86_400
"""Seconds after which a job that was never activated here again is forgotten: another worker has replied to it."""


class Journal:
    """The file of one process; it outlives the process, and the next one on this machine reads it."""

    def __init__(self, file: FileIO) -> None:
        """Map a file that no other process has locked.

        Raises:
            OSError: The disk is full.
        """
        self._file = file
        # Written whole, so that its blocks exist: a store to a mapped hole of a full disk kills the process.
        records = file.read(_SIZE).ljust(_SIZE, b"\0")
        file.seek(0)
        if file.write(records) != _SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._records = mmap.mmap(file.fileno(), _SIZE)
        self.begun: dict[int, int] = {}
        """From the process before: how often each job was begun without a reply."""
        self._places: dict[int, int] = {}
        self._free = []
        for place in range(_RECORDS - 1, -1, -1):
            key, count, when = _RECORD.unpack_from(self._records, place * _RECORD.size)
            if key and when > time.time() - _QUARANTINE_ENDS:
                self.begun[key] = count
                self._places[key] = place
            else:
                self._free.append(place)

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Take over the journal of a process that has ended, or create one, in `directory`.

        Raises:
            OSError: The directory cannot be created or written.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = 0
        while True:
            with ExitStack() as stack:
                descriptor = os.open(directory / f"{number}.journal", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                file = stack.enter_context(os.fdopen(descriptor, "r+b", buffering=0))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # Released by the kernel with the process.
                except BlockingIOError:
                    number += 1
                    continue
                journal = cls(file)
                stack.pop_all()
                return journal

    def begin(self, key: int, count: int) -> None:
        """Record that the job was begun for the `count`th time."""
        place = self._places.get(key)
        if place is None:
            if not self._free:
                self.end(next(iter(self._places)))  # The oldest: no window is so large.
            place = self._places[key] = self._free.pop()
        _RECORD.pack_into(self._records, place * _RECORD.size, key, count, int(time.time()))

    def end(self, key: int) -> None:
        """Forget the job: Zeebe has its reply."""
        place = self._places.pop(key, None)
        if place is not None:
            self._records[place * _RECORD.size : (place + 1) * _RECORD.size] = _CLEAR
            self._free.append(place)

    def close(self) -> None:
        """Leave the file to the next process."""
        if not self._file.closed:
            self._records.close()
            self._file.close()


class CrashGuard:
    """How often each job was begun without a reply, by this process and, with a journal, by those before it."""

    def __init__(self, most: int, journal: Journal | None = None) -> None:
        """Let a job begin `most` times."""
        self.most = most
        self._journal = journal
        self._begun = dict(journal.begun) if journal else {}
        self.quarantined = set(self._begun)
        """The keys of the jobs that ran when a worker of this machine died."""
        self.one_quarantined = asyncio.Lock()
        """Held by the one quarantined job that runs."""

    def begin(self, key: int) -> bool:
        """Count one more activation before the step runs; return False if the job was begun too often to run again."""
        count = self._begun.get(key, 0)
        if count >= self.most:
            return False
        if count:
            del self._begun[key]
        elif len(self._begun) >= _RECORDS:
            self._begun.pop(next(iter(self._begun)))  # The oldest: no window is so large.
        self._begun[key] = count + 1
        if self._journal is not None:
            self._journal.begin(key, count + 1)
        return True

    def end(self, key: int) -> None:
        """Forget the job: Zeebe has its reply, and counts its retries itself."""
        self._begun.pop(key, None)
        self.quarantined.discard(key)
        if self._journal is not None:
            self._journal.end(key)
