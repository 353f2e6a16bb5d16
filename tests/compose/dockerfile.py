"""The Dockerfile's instructions, so that a test can follow them on this machine."""

import re
import shlex
from dataclasses import dataclass

from tests.compose.composefile import ROOT

FILE = ROOT / "Dockerfile"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its keyword and everything after it, continued lines joined."""

    keyword: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)


def stages() -> list[list[Instruction]]:
    """Return the instructions of each stage; each list begins with its FROM."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    found: list[list[Instruction]] = []
    for line in filter(None, lines):
        keyword, _, rest = line.partition(" ")
        if keyword == "FROM":
            found.append([])
        found[-1].append(Instruction(keyword, rest.strip()))
    return found


def environment(stage: list[Instruction]) -> dict[str, str]:
    """Return what the stage's ENV instructions set."""
    words = [word for instruction in stage if instruction.keyword == "ENV" for word in instruction.words]
    return dict(word.split("=", 1) for word in words)


def only(stage: list[Instruction], keyword: str) -> Instruction:
    """Return the stage's one instruction with `keyword`."""
    (found,) = (instruction for instruction in stage if instruction.keyword == keyword)
    return found
