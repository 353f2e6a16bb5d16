"""The downloads: fetched once, checked always, mended when broken."""

import builtins
import errno
import gc
import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests.cluster.repository import Answer, Request, Server, corrupt, cut_off, repository, short, unavailable
from workers.cluster.artifacts import Artifact, Store, locked
from workers.cluster.errors import ArtifactError

CONTENT = os.urandom(200_000)


@pytest.fixture
def remote() -> Iterator[Server]:
    with repository() as server:
        yield server


@pytest.fixture(autouse=True)
def connections_that_jgo_forgets() -> Iterator[None]:
    """It closes no connection of a download that failed: let them go here, without the warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@pytest.fixture
def artifact(remote: Server) -> Artifact:
    return remote.add("thing", CONTENT)


@pytest.fixture
def store(tmp_path: Path, remote: Server) -> Store:
    return Store(tmp_path / "cache", remote.remotes)


def test_a_file_is_fetched_once_and_never_asked_for_again(store: Store, remote: Server, artifact: Artifact) -> None:
    store.fetch([artifact])
    store.fetch([artifact])
    assert store.path(artifact).read_bytes() == CONTENT
    assert len(remote.requests) == 1


@pytest.mark.parametrize("answer", [corrupt, cut_off, short, unavailable])
def test_a_download_that_goes_wrong_is_fetched_anew(
    store: Store, remote: Server, artifact: Artifact, answer: Answer
) -> None:
    remote.answers += [answer, answer]
    store.fetch([artifact])
    assert store.path(artifact).read_bytes() == CONTENT
    assert len(remote.requests) == 3


def test_a_file_that_is_never_the_pinned_one_is_refused_and_not_kept(
    store: Store, remote: Server, artifact: Artifact
) -> None:
    remote.answers += [corrupt] * 3
    with pytest.raises(ArtifactError, match="never the pinned file"):
        store.fetch([artifact])
    assert not store.path(artifact).exists()


@pytest.mark.parametrize("damage", [lambda content: content[:1000], lambda content: b"\0" * len(content)])
def test_a_cached_file_that_was_changed_since_is_noticed_and_mended(
    store: Store, artifact: Artifact, damage: Callable[[bytes], bytes]
) -> None:
    store.fetch([artifact])
    store.path(artifact).write_bytes(damage(CONTENT))
    assert store.missing([artifact]) == [artifact]
    store.fetch([artifact])
    assert store.path(artifact).read_bytes() == CONTENT


def test_a_whole_file_without_its_marker_is_hashed_and_not_fetched(
    store: Store, remote: Server, artifact: Artifact
) -> None:
    store.fetch([artifact])
    os.utime(store.path(artifact))  # what a copy of the cache to another machine does
    store.fetch([artifact])
    assert store.missing([artifact]) == []
    assert len(remote.requests) == 1


def test_a_file_that_no_repository_has_is_named(store: Store, remote: Server, artifact: Artifact) -> None:
    remote.files.clear()
    with pytest.raises(ArtifactError, match=r"org\.example:thing:1\.0:jar"):
        store.fetch([artifact])


def test_without_a_network_the_message_says_what_to_do(tmp_path: Path, artifact: Artifact) -> None:
    with repository() as gone:
        remotes = gone.remotes
    with pytest.raises(ArtifactError, match="Check the network") as raised:
        Store(tmp_path / "cache", remotes).fetch([artifact])
    assert "\n" not in str(raised.value)


def test_a_full_disk_is_said_and_leaves_no_piece_behind(
    store: Store, artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk:
        """A file on a disk that takes the first chunk only."""

        def __init__(self, path: Path) -> None:
            self._file = builtins.open(path, "wb")  # noqa: SIM115, PTH123 - closed below; what jgo calls

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def write(self, chunk: bytes) -> int:
            if self._file.tell() > 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self._file.write(chunk)

    def opened(path: Path, _mode: str) -> FullDisk:
        return FullDisk(path)

    monkeypatch.setattr("jgo.maven._resolver.open", opened, raising=False)
    with pytest.raises(ArtifactError, match=r"The disk is full.*SAGA_CACHE"):
        store.fetch([artifact])
    assert not store.path(artifact).exists()


def test_progress_counts_every_byte_of_the_file(store: Store, artifact: Artifact) -> None:
    seen: dict[str, list[int]] = {}

    @contextmanager
    def progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
        assert total == artifact.size
        seen[name] = []
        yield seen[name].append

    store.fetch([artifact], progress)
    assert sum(seen["thing-1.0.jar"]) == artifact.size


def test_when_one_download_fails_the_others_end_at_their_next_chunk(
    store: Store, remote: Server, artifact: Artifact
) -> None:
    endless = remote.add("endless", b"")

    def trickle(request: Request, content: bytes) -> None:
        if content:
            unavailable(request, content)
            return
        request.start(10**12)
        try:
            while True:
                request.wfile.write(b"." * 100_000)
        except OSError:  # the other side ended it
            return

    remote.answers += [trickle] * 4
    with pytest.raises(ArtifactError):
        store.fetch([endless, artifact])


def _fetch(cache: Path, remotes: dict[str, str], artifact: Artifact) -> None:
    Store(cache, remotes).fetch([artifact])


def test_two_starts_at_once_fetch_a_file_once_and_both_have_it(
    store: Store, tmp_path: Path, remote: Server, artifact: Artifact
) -> None:
    spawn = multiprocessing.get_context("spawn")
    arguments = (tmp_path / "cache", remote.remotes, artifact)
    starts = [spawn.Process(target=_fetch, args=arguments) for _ in range(2)]
    for start in starts:
        start.start()
    for start in starts:
        start.join(timeout=60)
    assert [start.exitcode for start in starts] == [0, 0]
    assert store.missing([artifact]) == []
    assert len(remote.requests) == 1


def test_every_pinned_file_has_coordinates_a_size_and_a_hash() -> None:
    for part in ("camunda", "opensearch"):
        for artifact in locked(part):
            assert artifact.size > 0
            assert len(bytes.fromhex(artifact.sha256)) == 32
