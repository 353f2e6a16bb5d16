"""Where the embedded stack keeps its files."""

import os
from dataclasses import dataclass
from pathlib import Path

from saga.common.project import ROOT


@dataclass(frozen=True, slots=True)
class Layout:
    """The directories of one stack."""

    data: Path

    @classmethod
    def of(cls, port_offset: int) -> "Layout":
        """Read `SAGA_HOME`; without it, the data is in the checkout's `.saga`."""
        home = Path(os.environ.get("SAGA_HOME") or ROOT / ".saga").absolute()
        return cls(data=home / f"stack-{port_offset}")

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
    def engine(self) -> Path:
        """The engine's log."""
        return self.data / "engine"

    @property
    def accepts_new_engine(self) -> Path:
        """There when the next start may make a new engine log beside open sagas."""
        return self.data / "new-engine"

    @property
    def tokens(self) -> Path:
        """A file for each caller of the participants, with its bearer token."""
        return self.data / "tokens"

    def log(self, part: str) -> Path:
        """Return the log file of `part`."""
        return self.logs / f"{part}.log"
