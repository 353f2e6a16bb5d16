"""Makes what was downloaded runnable: the distribution's folder, and OpenSearch's runner for any port."""

import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from workers.cluster.errors import NO_SPACE, ArtifactError, disk_full

_PORT_LIMIT = b"\x11\x24\x53"
"""`sipush 9299` in the constructor of OpenSearchRunner: the highest HTTP port that it takes."""
_NO_LIMIT = b"\x11\xff\xff"
"""`sipush -1`: the runner takes the port that it is told and looks for no other."""


def unpacked(archive: Path, target: Path) -> Path:
    """Unpack the tar archive into the directory `target`, once; a damaged `target` is unpacked again.

    Returns:
        The archive's one top directory.
    """
    listing = target / "files"
    with _claimed(target):
        if not _is_complete(listing):
            shutil.rmtree(target, ignore_errors=True)
            draft = Path(tempfile.mkdtemp(prefix="unpacking-", dir=target.parent))
            try:
                with tarfile.open(archive) as tar:
                    tar.extractall(draft, filter="data")
                (draft / "files").write_text("".join(_sizes(draft)), encoding="utf-8")
                draft.chmod(0o755)
                draft.rename(target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return next(path for path in target.iterdir() if path.is_dir())


def runner_for_any_port(jar: Path, target: Path) -> Path:
    """Copy OpenSearch's runner with its limit of ports taken off (docs/adr/0020)."""
    with _claimed(target):
        if not target.exists():
            draft = target.with_suffix(".new")
            with zipfile.ZipFile(jar) as original, zipfile.ZipFile(draft, "w") as copy:
                for entry in original.infolist():
                    content = original.read(entry)
                    if entry.filename.endswith("/OpenSearchRunner.class"):
                        content = _without_port_limit(content)
                    copy.writestr(entry, content)
            draft.replace(target)
    return target


def _without_port_limit(code: bytes) -> bytes:
    if code.count(_PORT_LIMIT) != 1:
        message = "OpenSearchRunner is not the class that docs/adr/0020 describes: its limit of ports is not found."
        raise ArtifactError(message)
    return code.replace(_PORT_LIMIT, _NO_LIMIT)


@contextmanager
def _claimed(target: Path) -> Iterator[None]:
    """Let one process at a time make `target`, and say what a full disk means."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(target.with_name(f"{target.name}.lock")):
            yield
    except OSError as error:
        if error.errno in NO_SPACE:
            full = disk_full(f"there is no room for {target}")
            raise full from error
        raise


def _is_complete(listing: Path) -> bool:
    try:
        return listing.read_text(encoding="utf-8") == "".join(_sizes(listing.parent))
    except FileNotFoundError:
        return False


def _sizes(directory: Path) -> Iterator[str]:
    """Yield a line with path and size for every file of the archive, in a fixed order."""
    for folder, folders, names in os.walk(directory):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.parent != directory:
                yield f"{path.relative_to(directory)} {path.stat().st_size}\n"
