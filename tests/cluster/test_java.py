"""The archives of classes: recorded by a real Java's first run, used by the next, and never for another class path."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from workers.cluster.java import Java


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    path = tmp_path / 'a folder with "quotes"' / "thing.jar"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nothing.txt", "")
    return path


@pytest.fixture
def java(tmp_path: Path) -> Java:
    return Java(
        name="keytool",
        main="sun.security.tools.keytool.Main",
        heap="32m",
        home=tmp_path / "home",
        archives=tmp_path / "archives",
    )


def run(java: Java, *options: str) -> str:
    environment = {**os.environ, "JAVA_TOOL_OPTIONS": " ".join(options)}
    done = subprocess.run(
        [*java.command, "-help"], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout + done.stderr


def kept(java: Java) -> list[Path]:
    return list(java.archives.glob("keytool-*.jsa"))


def test_the_first_run_records_what_the_second_one_uses(java: Java, jar: Path) -> None:
    java.prepare([jar])
    run(java)
    assert kept(java) == []
    java.keep_archive([jar])
    (archive,) = kept(java)
    java.prepare([jar])
    # With -Xshare:on Java refuses to start when an archive does not fit.
    assert str(archive) in run(java, "-Xshare:on", "-Xlog:cds")


def test_a_run_that_did_not_end_in_order_leaves_no_archive(java: Java, jar: Path) -> None:
    java.prepare([jar])
    java.keep_archive([jar])
    assert kept(java) == []


def test_a_changed_class_path_is_recorded_anew(java: Java, jar: Path) -> None:
    java.prepare([jar])
    run(java)
    java.keep_archive([jar])
    with zipfile.ZipFile(jar, "a") as archive:
        archive.writestr("more.txt", "")
    java.prepare([jar])
    run(java)
    java.keep_archive([jar])
    assert len(kept(java)) == 2


def test_archives_of_forgotten_class_paths_do_not_pile_up(java: Java, jar: Path) -> None:
    for number in range(5):
        os.utime(jar, (number, number))
        java.prepare([jar])
        run(java)
        java.keep_archive([jar])
    assert len(kept(java)) == 3
