"""What an evaluation knows while it runs: names, warnings, limits, clock and randomness."""

import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from . import zones
from .temporal import DateTime, parse_offset
from .values import Function, TooLarge, from_json, text_of

MAX_STEPS = 1_000_000
"""Steps of one evaluation: about a second."""
MAX_TEXT = 4_000_000
"""Characters of one text; Zeebe stores no longer variable."""
MAX_WARNINGS = 100
QUOTED = 1_000
"""Characters of a value in a warning."""
REGEX_SECONDS = 0.5
"""Time for all regular expressions of one evaluation."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


class Now(NamedTuple):
    """The moment of an evaluation: everything in it that is not a function of its text and context."""

    milliseconds: int
    """Time since 1970-01-01 UTC."""
    zone: str
    """The zone that now() and today() are in: UTC, an offset like +01:00, or a name like Europe/Berlin."""
    seed: int
    """Seed of `random number()` and `uuid()`."""


class Warning_(NamedTuple):  # noqa: N801 - `Warning` is Python's own
    """Why a part of an expression is null. The text quotes values: do not log it."""

    code: str
    text: str


class Failure(Exception):
    """The evaluation fails as a whole."""

    def describe(self, text: str) -> str:
        """Say it with the text of the expression, as Camunda does."""
        return f"failed to evaluate expression '{text}' : {self}"


class AssertionFailure(Failure):
    """A condition of `assert` does not hold."""

    def describe(self, text: str) -> str:
        """Say it with the text of the expression, as Camunda does."""
        return f"Assertion failure on evaluate the expression '{text}': {self}"


class Invalid(Exception):
    """A function cannot be invoked with these arguments: null and a warning."""


class _Missing:
    """No such variable or entry. A warning has told so."""


MISSING: Final = _Missing()


class Scope:
    """Names that a part of an expression sees, on top of those around it."""

    __slots__ = ("names", "parent", "run")

    run: "Run"

    def __init__(self, names: dict[str, Any], parent: "Scope") -> None:
        """Put names on top of a scope."""
        self.names = names
        self.parent: Scope | None = parent
        self.run = parent.run

    def lookup(self, name: str) -> Any:  # noqa: ANN401 - any FEEL value
        """Find the nearest value of a name; MISSING and a warning where nobody has it."""
        scope = self
        while scope.parent is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return self.run.variable(name)

    def snapshot(self) -> "Scope":
        """Freeze the names, for a function: it does not see later entries, nor itself."""
        if self.parent is None:
            return self
        return Scope(dict(self.names), self.parent.snapshot())


class Run(Scope):
    """The outermost scope: variables, and the state of one evaluation."""

    __slots__ = ("_random", "_regex_seconds", "_variables", "now", "seen", "steps", "warnings")

    def __init__(self, variables: Mapping[str, Any], now: Now) -> None:  # noqa: D107 - see the class
        # Scope.__init__ needs a parent, and this is where parents end.
        self.parent = None
        self.run = self
        self._variables = variables
        self.now = now
        self.warnings: list[Warning_] = []
        self.steps = MAX_STEPS
        self.seen: dict[str, Any] | None = None
        self._random: random.Random | None = None
        self._regex_seconds = REGEX_SECONDS

    def variable(self, name: str) -> Any:  # noqa: ANN401 - any FEEL value
        """Look one variable up, and only that one."""
        if name not in self._variables:
            self.warn(
                "NO_VARIABLE_FOUND", "No input value found." if name == "?" else f"No variable found with name '{name}'"
            )
            return MISSING
        value = self._variables[name]
        kind = type(value)
        if kind is not list and kind is not dict:
            return from_json(value)
        if self.seen is None:
            self.seen = {}
        elif name in self.seen:
            return self.seen[name]
        return self.seen.setdefault(name, from_json(value))

    def raw(self, name: str) -> Any:  # noqa: ANN401 - a JSON value
        """Give a variable as it came, without reading it wholly; MISSING without a warning."""
        return self._variables.get(name, MISSING)

    def warn(self, code: str, text: str) -> None:
        """Add a warning, up to a number of them."""
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(Warning_(code, text))

    def quote(self, value: object) -> str:
        """Write a value for a warning; a long one is cut off."""
        if len(self.warnings) >= MAX_WARNINGS:
            return ""
        try:
            return text_of(value, QUOTED)
        except TooLarge:
            return "..."

    def spend(self, steps: int) -> None:
        """Count steps.

        Raises:
            Failure: There were too many.

        """
        self.steps -= steps
        if self.steps < 0:
            message = f"the evaluation needs more than {MAX_STEPS} steps"
            raise Failure(message)

    def charge(self, value: object) -> None:
        """Count the steps of reading or building a value: texts by 64 characters, lists by 16 items."""
        if isinstance(value, str):
            self.charge_text(len(value))
        elif isinstance(value, list | dict):
            self.spend(len(value) >> 4)

    def charge_text(self, length: int) -> None:
        """Count the steps of a text of this length.

        Raises:
            Failure: No text may be so long.

        """
        if length > MAX_TEXT:
            message = f"a text is longer than {MAX_TEXT} characters"
            raise Failure(message)
        self.spend(length >> 6)

    def random(self) -> random.Random:
        """Give this evaluation's random numbers: the same ones for the same seed."""
        if self._random is None:
            self._random = random.Random(self.now.seed)  # noqa: S311 - repeatable is what is asked for
        return self._random

    def moment(self) -> DateTime:
        """Give the time of this evaluation in its zone."""
        utc = DateTime(_EPOCH + timedelta(milliseconds=self.now.milliseconds), 0)
        offset, zone = self._own_zone()
        return utc.in_zone(offset, self.now.zone if zone else None)

    def at_own_zone(self, local: datetime) -> DateTime:
        """Read a local time in the zone of this evaluation."""
        offset, zone = self._own_zone()
        return DateTime(*zones.at_local(local, zone), self.now.zone) if zone else DateTime(local, offset)

    def _own_zone(self) -> tuple[int | None, ZoneInfo | None]:
        name = self.now.zone
        offset = 0 if name == "UTC" else parse_offset(name)
        zone = None if offset is not None else zones.load_zone(name)
        if offset is None and zone is None:
            message = f"there is no time zone '{name}'"
            raise Failure(message)
        return offset, zone

    def regex_timeout(self) -> float:
        """Give the seconds that are left for regular expressions.

        Raises:
            Failure: None are.

        """
        if self._regex_seconds <= 0:
            message = "the regular expressions take too long"
            raise Failure(message)
        return self._regex_seconds

    def regex_spent(self, since: float) -> None:
        """Count the time of a regular expression that began at `since` (of `regex_clock`)."""
        self._regex_seconds -= regex_clock() - since


def invoke(run: Run, function: Function, *values: Any) -> Any:  # noqa: ANN401 - any FEEL values
    """Invoke a function that an expression has defined."""
    run.spend(function.size)
    return function.call(values)


regex_clock = time.perf_counter
"""Only measures how long regular expressions take; no value comes from it."""
