"""What SQLite writes to its files and when it flushes them, seen from below: each file that it opens is wrapped."""

import _sqlite3
import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from typing import Any, NamedTuple

_OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_SYNC = CFUNCTYPE(c_int, c_void_p, c_int)


class _Methods(Structure):
    """`sqlite3_io_methods`, up to its third version (https://sqlite.org/c3ref/io_methods.html)."""

    _fields_ = (
        ("version", c_int),
        ("close", c_void_p),
        ("read", c_void_p),
        ("write", _WRITE),
        ("truncate", c_void_p),
        ("sync", _SYNC),
        ("others", c_void_p * 13),
    )


class _File(Structure):
    """`sqlite3_file`."""

    _fields_ = (("methods", POINTER(_Methods)),)


class _Vfs(Structure):
    """The beginning of `sqlite3_vfs` (https://sqlite.org/c3ref/vfs.html)."""

    _fields_ = (
        ("version", c_int),
        ("file_size", c_int),
        ("longest_path", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", _OPEN),
    )


class Access(NamedTuple):
    """One call of the operating system."""

    file: str
    what: str
    """`write` or `sync`."""


@contextmanager
def traced() -> Iterator[list[Access]]:
    """Collect what happens to the files that SQLite opens in this process meanwhile; all are closed before the end."""
    # Where Python has the module built in, so is SQLite.
    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    library.sqlite3_vfs_find.restype = POINTER(_Vfs)
    vfs = library.sqlite3_vfs_find(None).contents
    accesses: list[Access] = []
    kept: list[Any] = []
    """What C has pointers to."""
    # A copy: the field itself is about to change.
    original = _OPEN(ctypes.cast(vfs.open, c_void_p).value or 0)

    def wrap(own: int, name: int | None, address: int, flags: int, flags_out: int) -> int:
        # SQLite reads more behind the name: it has to be the same pointer.
        status: int = original(own, name, address, flags, flags_out)
        file = _File.from_address(address)
        if status or not file.methods:
            return status
        path, methods = ctypes.string_at(name).decode() if name else "", file.methods.contents
        write = _WRITE(ctypes.cast(methods.write, c_void_p).value or 0)
        sync = _SYNC(ctypes.cast(methods.sync, c_void_p).value or 0)

        def written(*arguments: int) -> int:
            accesses.append(Access(path, "write"))
            return int(write(*arguments))

        def synced(*arguments: int) -> int:
            done = int(sync(*arguments))
            accesses.append(Access(path, "sync"))
            return done

        wrapped = _Methods.from_buffer_copy(methods)
        wrapped.write, wrapped.sync = _WRITE(written), _SYNC(synced)
        kept.append((wrapped, wrapped.write, wrapped.sync))
        file.methods = ctypes.pointer(wrapped)
        return status

    vfs.open = kept_open = _OPEN(wrap)
    kept.append(kept_open)
    try:
        yield accesses
    finally:
        vfs.open = original
