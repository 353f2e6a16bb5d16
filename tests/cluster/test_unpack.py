"""What was downloaded is made runnable: once, whole, and again when it was damaged."""

import errno
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from workers.cluster.errors import ArtifactError
from workers.cluster.unpack import runner_for_any_port, unpacked


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "thing.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in (("thing-1.0/lib/a.jar", b"aaaa"), ("thing-1.0/bin/run", b"#!")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_an_archive_is_unpacked_to_its_top_directory(archive: Path, tmp_path: Path) -> None:
    folder = unpacked(archive, tmp_path / "cache" / "thing")
    assert folder.name == "thing-1.0"
    assert (folder / "lib" / "a.jar").read_bytes() == b"aaaa"


def test_an_unpacked_archive_is_used_as_it_is(archive: Path, tmp_path: Path) -> None:
    before = unpacked(archive, tmp_path / "thing")
    inode = before.stat().st_ino
    archive.unlink()
    assert unpacked(archive, tmp_path / "thing").stat().st_ino == inode


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"a")])
def test_a_damaged_folder_is_unpacked_again(archive: Path, tmp_path: Path, damage: object) -> None:
    jar = unpacked(archive, tmp_path / "thing") / "lib" / "a.jar"
    assert callable(damage)
    damage(jar)
    unpacked(archive, tmp_path / "thing")
    assert jar.read_bytes() == b"aaaa"


def test_an_interrupted_unpacking_leaves_no_folder_that_looks_whole(archive: Path, tmp_path: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:80])
    with pytest.raises((EOFError, tarfile.TarError)):
        unpacked(archive, tmp_path / "cache" / "thing")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["thing.lock"]


def test_a_full_disk_is_said_and_leaves_nothing(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tarfile.TarFile, "extractall", full)
    with pytest.raises(ArtifactError, match="The disk is full"):
        unpacked(archive, tmp_path / "cache" / "thing")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["thing.lock"]


def _jar(path: Path, code: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("org/codelibs/opensearch/runner/OpenSearchRunner.class", code)
        jar.writestr("config/opensearch.yml", "a: b")
    return path


def test_the_runner_loses_its_limit_of_ports_and_nothing_else(tmp_path: Path) -> None:
    jar = _jar(tmp_path / "runner.jar", b"before\x11\x24\x53after")
    copy = runner_for_any_port(jar, tmp_path / "any" / "runner.jar")
    with zipfile.ZipFile(copy) as made:
        assert made.read("org/codelibs/opensearch/runner/OpenSearchRunner.class") == b"before\x11\xff\xffafter"
        assert made.read("config/opensearch.yml") == b"a: b"


def test_a_runner_that_is_not_the_known_one_is_refused(tmp_path: Path) -> None:
    jar = _jar(tmp_path / "runner.jar", b"another version")
    with pytest.raises(ArtifactError, match="0020"):
        runner_for_any_port(jar, tmp_path / "any" / "runner.jar")
    assert not (tmp_path / "any" / "runner.jar").exists()
