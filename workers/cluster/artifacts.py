"""The stack's files: fetched once by their Maven coordinates, each one checked against its pinned SHA-256."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import requests
from filelock import FileLock
from jgo.maven import Artifact as MavenArtifact
from jgo.maven import MavenContext, PythonResolver

from workers.cluster.errors import NO_SPACE, ArtifactError, disk_full

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Called with a file's name and its size in bytes; the context's value takes the bytes of each chunk."""

_ATTEMPTS = 3
_TIMEOUT = 30
"""Seconds without a byte before a download counts as broken."""
_PARALLEL = 4


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of the stack, pinned."""

    group: str
    name: str
    version: str
    packaging: str
    size: int
    """Bytes."""
    sha256: str

    @property
    def coordinates(self) -> str:
        """Return `group:name:version:packaging`."""
        return f"{self.group}:{self.name}:{self.version}:{self.packaging}"

    def maven(self, context: MavenContext) -> MavenArtifact:
        """Return what `context` knows this file as."""
        return context.project(self.group, self.name).at_version(self.version).artifact(packaging=self.packaging)


def locked(part: str) -> list[Artifact]:
    """Return the files of `part` ("camunda" or "opensearch") in their class path's order, from `artifacts.lock`."""
    lock = json.loads(files("workers.cluster").joinpath("artifacts.lock").read_text(encoding="utf-8"))
    return [_artifact(**entry) for entry in lock[part]]


def _artifact(coordinates: str, size: int, sha256: str) -> Artifact:
    group, name, version, packaging = coordinates.split(":")
    return Artifact(group, name, version, packaging, size, sha256)


class Store:
    """The user's cache of downloads.

    A file counts as whole when its marker, written after its hash was checked, still names its size and time of change:
    a warm start hashes nothing, and a file that was touched since is hashed again.
    """

    def __init__(self, cache: Path, remotes: dict[str, str] | None = None) -> None:
        """Keep the files under `cache`; `remotes` (name to URL) replaces the repositories that jgo knows."""
        self._cache = cache
        self._remotes = remotes

    def path(self, artifact: Artifact) -> Path:
        """Return where `artifact` lies once it is fetched."""
        path = artifact.maven(self._context()).cached_path
        if path is None:  # pragma: no cover - only for a context without a cache
            message = f"no cache for {artifact.coordinates}"
            raise AssertionError(message)
        return path

    def missing(self, artifacts: Iterable[Artifact]) -> list[Artifact]:
        """Return those of `artifacts` that are absent, or are not the file that was checked."""
        return [artifact for artifact in artifacts if not self._is_whole(artifact)]

    def fetch(self, artifacts: Iterable[Artifact], progress: Progress | None = None) -> None:
        """Make sure that every one of `artifacts` is in the cache, whole. Several processes may call this at once.

        Raises:
            ArtifactError: the disk is full, the network is absent, or a file is not the pinned one however often it is
                fetched.
        """
        wanted = self.missing(artifacts)
        if not wanted:
            return
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            with FileLock(self._cache / "downloads.lock"):
                # Whoever held the lock before us may have fetched them meanwhile.
                self._fetch_all(self.missing(wanted), progress or _unseen)
        except OSError as error:
            raise self._explained(error, wanted) from error

    def _fetch_all(self, artifacts: list[Artifact], progress: Progress) -> None:
        end = threading.Event()
        with ThreadPoolExecutor(_PARALLEL) as pool:
            try:
                fetched = [pool.submit(self._fetch, artifact, _ended_by(end, progress)) for artifact in artifacts]
                for each in wait(fetched, return_when=FIRST_EXCEPTION).done:
                    each.result()
            except BaseException:
                # One that failed, or Ctrl-C: the others end at their next chunk, not after hundreds of megabytes.
                end.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _fetch(self, artifact: Artifact, progress: Progress) -> None:
        path = self.path(artifact)
        if path.exists() and self._check(artifact):
            return
        failure: requests.RequestException | RuntimeError | None = None
        for _attempt in range(_ATTEMPTS):
            path.unlink(missing_ok=True)
            try:
                artifact.maven(self._context(progress)).resolve()
            except (requests.RequestException, RuntimeError) as error:  # the latter: jgo got another status than 200
                failure = error
                continue
            except OSError:
                path.unlink(missing_ok=True)
                raise
            if self._check(artifact):
                return
            failure = None
        if isinstance(failure, requests.RequestException):
            raise failure
        raise ArtifactError(_refused(artifact, failure))

    def _check(self, artifact: Artifact) -> bool:
        """Hash the file; mark it when it is the pinned one, remove it when it is not."""
        path = self.path(artifact)
        if not path.exists():
            return False
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != artifact.sha256:
                path.unlink()
                return False
        self._marker(path).write_text(_fingerprint(path), encoding="ascii")
        return True

    def _is_whole(self, artifact: Artifact) -> bool:
        path = self.path(artifact)
        try:
            return self._marker(path).read_text(encoding="ascii") == _fingerprint(path)
        except FileNotFoundError:
            return False

    def _marker(self, path: Path) -> Path:
        return path.with_name(f"{path.name}.verified")

    def _context(self, progress: Progress | None = None) -> MavenContext:
        return MavenContext(
            resolver=PythonResolver(progress_callback=progress),
            repo_cache=self._cache / "repository",
            remote_repos=self._remotes,
            timeout=_TIMEOUT,
        )

    def _explained(self, error: OSError, wanted: list[Artifact]) -> ArtifactError:
        megabytes = sum(artifact.size for artifact in wanted) / 1e6
        if error.errno in NO_SPACE:
            return disk_full(f"the downloads need {megabytes:.0f} MB more under {self._cache}")
        if isinstance(error, requests.RequestException):
            return ArtifactError(
                f"The stack's files ({megabytes:.0f} MB, only the first time) cannot be downloaded: {_reason(error)}. "
                "Check the network (a proxy is read from HTTPS_PROXY) and start again; what has arrived is kept."
            )
        return ArtifactError(f"The cache {self._cache} cannot be written: {error}.")


@contextmanager
def _unseen(_name: str, _total: int) -> Iterator[Callable[[int], None]]:
    yield lambda _count: None


def _ended_by(end: threading.Event, progress: Progress) -> Progress:
    """Return `progress`, with a download's end at its next chunk once `end` is set."""

    @contextmanager
    def show(name: str, total: int) -> Iterator[Callable[[int], None]]:
        with progress(name, total) as advance:

            def advance_or_end(count: int) -> None:
                if end.is_set():
                    raise _EndedError
                advance(count)

            yield advance_or_end

    return show


class _EndedError(Exception):
    """This download is not wanted any more; never leaves this module."""


def _fingerprint(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _reason(error: requests.RequestException) -> str:
    kind = "no answer in time" if isinstance(error, requests.Timeout) else "no connection"
    return f"{kind} ({error})"


def _refused(artifact: Artifact, failure: RuntimeError | None) -> str:
    if failure is not None:
        return f"{artifact.coordinates} was asked for {_ATTEMPTS} times and not given: {failure}."
    return (
        f"{artifact.coordinates} arrived {_ATTEMPTS} times and was never the pinned file (SHA-256 {artifact.sha256}). "
        "Something between this machine and the repository changes it; nothing was kept."
    )
