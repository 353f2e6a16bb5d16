"""Where the embedded stack keeps its files."""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True, slots=True)
class Layout:
    """The directories of one stack: its own data, and the downloads that all stacks of the user share."""

    data: Path
    cache: Path

    @classmethod
    def of(cls, port_offset: int) -> "Layout":
        """Read `SAGA_HOME` and `SAGA_CACHE`; without them, the checkout's `.saga` and the user's cache directory."""
        checkout = Path(__file__).resolve().parents[2]
        home = Path(os.environ.get("SAGA_HOME") or checkout / ".saga").absolute()
        cache = Path(os.environ.get("SAGA_CACHE") or platformdirs.user_cache_path("saga-workers")).absolute()
        return cls(data=home / f"stack-{port_offset}", cache=cache)

    @property
    def logs(self) -> Path:
        """What each part prints, one file each."""
        return self.data / "logs"

    @property
    def state(self) -> Path:
        """What runs, for `saga status` and for the next start after a crash."""
        return self.data / "state.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor for as long as it lives."""
        return self.data / "supervisor.lock"

    @property
    def tokens(self) -> Path:
        """A file for each caller of the participants, with its bearer token."""
        return self.data / "tokens"

    @property
    def archives(self) -> Path:
        """Java's archives of loaded classes."""
        return self.cache / "classes"

    def log(self, part: str) -> Path:
        """Return the log file of `part`."""
        return self.logs / f"{part}.log"
