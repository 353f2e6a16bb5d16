"""Commits in a SQLite write-ahead log that SQLite cannot see, because one before them is damaged.

SQLite reads a write-ahead log up to the first frame whose checksum is wrong, and takes the rest for the left-overs of
older commits. That is right for the last commit: a crash may have torn it, and nobody has been answered. But each
commit is on the disk before the next one begins. So a whole commit behind a torn one was damaged later.

The formats are SQLite's, from https://sqlite.org/walformat.html and https://sqlite.org/fileformat2.html#walformat.
"""

import mmap
import struct
from pathlib import Path

_HEADER = struct.Struct(">4sIII8sII")
"""Of the file: magic number, version, page size, number of the checkpoint, salts, checksum."""
_FRAME = struct.Struct(">II8s8s")
"""Of a frame: page, size of the database if it ends a commit (else 0), salts, checksum."""
_INDEX = struct.Struct("=IIIBBHII8s")
"""Begin of the -shm file: version, unused, changes, initialized, byte order, page size, valid frames, pages, sum."""
_INDEX_VERSION = 3_007_000
_MAGIC = {b"\x37\x7f\x06\x82": "<", b"\x37\x7f\x06\x83": ">"}
"""Byte order of the checksums."""
_DAMAGED_SALT = 2
"""Bytes of 8."""


def frames_behind_damage(database: Path) -> int:
    """Return how many commits stand behind the first damaged one; 0 where the last one at most is torn.

    SQLite must have read the database since it was changed last, and nobody may have it open.
    """
    wal = Path(f"{database}-wal")
    if not wal.exists() or wal.stat().st_size < _HEADER.size + _FRAME.size:
        return 0
    with wal.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if _is_sound(data):
            _, _, page_size, _, salts, *_ = _HEADER.unpack_from(data)
            return max(0, _commits(data, page_size, salts, _valid_frames(database)) - 1)
        # SQLite reads nothing of it, though the header was on the disk before the first commit.
        return _commits(data, _page_size(database), _FRAME.unpack_from(data, _HEADER.size)[2], 0)


def _commits(data: mmap.mmap, page_size: int, salts: bytes, first: int) -> int:
    """Count the commits that end in frame `first` (from 0) or later."""
    step = _FRAME.size + page_size
    found = 0
    for start in range(_HEADER.size + first * step, len(data) - step + 1, step):
        _, pages, own, _ = _FRAME.unpack_from(data, start)
        # Salts of older commits are wholly different; a few bytes may be the damage.
        found += bool(pages) and sum(map(int.__ne__, own, salts)) <= _DAMAGED_SALT
    return found


def _valid_frames(database: Path) -> int:
    """Return how many frames SQLite can read, as it has noted in the index of the write-ahead log."""
    with Path(f"{database}-shm").open("rb") as index:
        header = index.read(_INDEX.size)
    if len(header) < _INDEX.size:
        return 0
    version, _, _, is_initialized, _, _, frames, *_ = _INDEX.unpack(header)
    assert version == _INDEX_VERSION  # noqa: S101 - all releases of SQLite that have write-ahead logs share one index
    return frames if is_initialized else 0


def _is_sound(data: mmap.mmap) -> bool:
    """Tell whether the header of a write-ahead log is undamaged."""
    magic, _, _, _, _, *checksum = _HEADER.unpack_from(data)
    order = _MAGIC.get(magic)
    if order is None:
        return False
    first = second = 0
    words = struct.unpack_from(f"{order}6I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return checksum == [first, second]


def _page_size(database: Path) -> int:
    """Return the size of the database's pages in bytes."""
    with database.open("rb") as file:
        size = int.from_bytes(file.read(18)[16:18], "big")
    return 65_536 if size == 1 else size
