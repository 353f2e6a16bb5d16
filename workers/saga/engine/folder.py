"""The data folder: private, on a disk of this machine, and used by one engine at a time."""

import fcntl
import os
import subprocess
from pathlib import Path
from typing import IO

from .errors import CannotStart

LOG = "engine.sqlite"
"""Name of the log's file."""
_LOCK = "lock"
_NETWORK = ("nfs", "cifs", "smb", "afp", "afs", "ceph", "gluster", "lustre", "webdav", "9p", "fuse.sshfs")
"""How the names of network file systems begin: their locks and their fsync promise too little."""


class FolderError(CannotStart):
    """The folder cannot be used; the message names it and says why."""


class DataFolder:
    """The folder of one running engine; nobody else can open it until this process ends."""

    def __init__(self, path: Path) -> None:
        """Make the folder (mode 0700) where there is none, and lock it.

        Raises:
            FolderError: It is on a network file system, another process holds it, it cannot be made, or it is there
                already and somebody else's: another user's, or with files and without a log.
        """
        self.path = path
        self.log = path / LOG
        try:
            kind = file_system(path)
            if kind.startswith(_NETWORK):
                message = f"{path} is on a network file system ({kind}), where SQLite's locks cannot be trusted. "
                message += "Name a folder on a disk of this machine with --data."
                raise FolderError(message)
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _require_ours(path)
            path.chmod(0o700)
            self._lock = _lock(path)
        except OSError as error:
            message = f"{path} cannot be used: {error.strerror}. Name another folder with --data."
            raise FolderError(message) from None

    def release(self) -> None:
        """Let the next engine have it."""
        self._lock.close()


def _require_ours(path: Path) -> None:
    """Check that a folder may be made private: closing `/tmp` to others, say, would stop a whole machine.

    Raises:
        FolderError: It is another user's, or something else is kept in it.
    """
    if path.stat().st_uid != os.geteuid():
        message = f"{path} is another user's folder. Name one of your own with --data."
        raise FolderError(message)
    kept = {each.name for each in path.iterdir()}
    if kept and kept.isdisjoint({LOG, _LOCK}):
        message = f"{path} has other files in it and no log of an engine. Name an empty folder with --data."
        raise FolderError(message)


def sync_folder(path: Path) -> None:
    """Bring a file's new name to the disk; `path` is its folder."""
    folder = os.open(path, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def is_in_use(path: Path) -> bool:
    """Tell whether an engine uses the data folder; one that starts at this very moment is refused."""
    try:
        with (path / _LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def file_system(path: Path) -> str:
    """Return the type of the file system that `path` is on, such as `ext4`; empty where the system does not say."""
    where = path.resolve()
    found = ""
    longest = -1
    for mount_point, kind in mounts():
        if where.is_relative_to(mount_point) and len(mount_point) >= longest:
            found, longest = kind, len(mount_point)
    return found


def mounts() -> list[tuple[str, str]]:
    """Return each mount point with its file system's type."""
    table = Path("/proc/mounts")
    if table.exists():
        fields = [line.split() for line in table.read_text(encoding="utf-8", errors="replace").splitlines()]
        return [(each[1].encode().decode("unicode_escape"), each[2]) for each in fields]
    # macOS: `/dev/disk3s1 on /System/Volumes/Data (apfs, local, journaled)`.
    listed = subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=False).stdout
    lines = (line.partition(" on ")[2].rpartition(" (") for line in listed.splitlines())
    return [(point, kind.partition(",")[0].rstrip(")")) for point, _, kind in lines]


def _lock(folder: Path) -> IO[str]:
    """Take the folder's lock, which this process holds as long as the file is open."""
    # Not "w": the file has the process id of its holder, which a loser must not wipe out.
    file = os.fdopen(os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = file.read().strip() or "another process"
        file.close()
        message = f"{folder} is in use by the engine with process id {holder}. Stop it, or name another folder."
        raise FolderError(message) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
