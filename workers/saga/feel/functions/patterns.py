"""Functions with regular expressions. All of an evaluation share one time limit."""

# ruff: noqa: TID252 - relative, so that one rename moves the package

import re
from collections.abc import Iterator
from functools import lru_cache

import regex  # type: ignore[import-untyped]  # it ships no types

from ..scope import MAX_TEXT, Failure, Invalid, Run, regex_clock
from .base import STRING, Builtin, builtin

_FLAGS = {"s": regex.DOTALL, "m": regex.MULTILINE, "i": regex.IGNORECASE, "x": regex.VERBOSE}
_GROUP = re.compile(r"\$(\d)|\$\{([A-Za-z]\w*)\}|\\(.)|([$\\])", re.DOTALL | re.ASCII)

_MAX_SIZE = 20_000
"""Parts of a pattern with its repetitions written out: they are compiled one by one."""
_PART = re.compile(r"\\[pP]\{\w++\}|\\.|\{(\d++)(?:,\d*+)?\}|.", re.DOTALL | re.ASCII)
_SINGLE = re.compile(r"\\.+|[\w.\]]", re.DOTALL)


def _size(pattern: str) -> int:
    """Count parts, never too few: what is not sure to repeat one part alone repeats all in front of it."""
    size, before = 0, ""
    for part in _PART.finditer(pattern):
        if part[1] is None:
            size += 1
        else:
            times = max(int(part[1][:9]), 1)
            size = size + times if _SINGLE.fullmatch(before) else size * times
        if size > _MAX_SIZE:
            break
        before = part[0]
    return size


@lru_cache(maxsize=256)
def _compile(pattern: str, flags: str) -> "regex.Pattern[str]":
    if _size(pattern) > _MAX_SIZE:
        message = f"a pattern with more than {_MAX_SIZE} parts"
        raise OverflowError(message)
    bits = regex.VERSION0
    for flag in flags:
        bits |= _FLAGS[flag]
    return regex.compile(pattern, bits, cache_pattern=False)


def _pattern(run: Run, pattern: str, flags: str, what: str = "pattern") -> "regex.Pattern[str]":
    if not _FLAGS.keys() >= set(flags):
        message = f"Invalid flags '{flags[:20]}'"
        raise Invalid(message)
    run.regex_timeout()
    since = regex_clock()
    try:
        return _compile(pattern, flags)
    except (regex.error, LookupError, ValueError, OverflowError, RecursionError) as error:
        message = f"Invalid {what} '{pattern[:200]}'"
        raise Invalid(message) from error
    finally:
        run.regex_spent(since)


def _find(run: Run, pattern: "regex.Pattern[str]", text: str) -> "Iterator[regex.Match[str]]":
    """Find all matches one after the other, within what is left of the evaluation's time.

    Raises:
        Failure: The time is over.

    """
    since = regex_clock()
    try:
        for match in pattern.finditer(text, timeout=run.regex_timeout()):
            run.spend(1)
            yield match
    except TimeoutError as error:
        message = "a regular expression takes too long"
        raise Failure(message) from error
    finally:
        run.regex_spent(since)


def matches(run: Run, text: str, pattern: str, flags: str | None = "") -> bool:
    """Tell whether the pattern is somewhere in the text."""
    return next(_find(run, _pattern(run, pattern, flags or ""), text), None) is not None


def _expand(template: str, match: "regex.Match[str]") -> str:
    def part(found: "re.Match[str]") -> str:
        number, name, escaped, wrong = found.groups()
        if wrong:
            message = "Illegal group reference"
            raise Failure(message)
        if escaped is not None:
            return str(escaped)
        try:
            return match[int(number) if number else name] or ""
        except IndexError as error:
            message = f"No group {number or name}"
            raise Failure(message) from error

    return _GROUP.sub(part, template) if "$" in template or "\\" in template else template


def replace(run: Run, text: str, pattern: str, replacement: str, flags: str | None = "") -> str:
    """Replace all matches; $1 in the replacement is the first group."""
    parts: list[str] = []
    position = length = 0
    for match in _find(run, _pattern(run, pattern, flags or ""), text):
        parts += (text[position : match.start()], _expand(replacement, match))
        position = match.end()
        length += len(parts[-1]) + len(parts[-2])
        if length > MAX_TEXT:
            message = f"a text is longer than {MAX_TEXT} characters"
            raise Failure(message)
    return "".join(parts) + text[position:]


def split(run: Run, text: str, delimiter: str) -> list[str]:
    """Split at all matches; an empty one at the very start does not count."""
    parts = []
    position = 0
    for match in _find(run, _pattern(run, delimiter, "", "pattern for delimiter"), text):
        if match.end() == 0 or (match.start() == match.end() == len(text)):
            continue
        parts.append(text[position : match.start()])
        position = match.end()
    return [*parts, text[position:]]


def extract(run: Run, text: str, pattern: str) -> list[str]:
    """Give all matches."""
    return [match[0] for match in _find(run, _pattern(run, pattern, ""), text)]


_FLAG_TYPES = (str, type(None))
FUNCTIONS: tuple[Builtin, ...] = (
    builtin("matches", matches, input=STRING, pattern=STRING),
    builtin("matches", matches, input=STRING, pattern=STRING, flags=_FLAG_TYPES),
    builtin("replace", replace, input=STRING, pattern=STRING, replacement=STRING),
    builtin("replace", replace, input=STRING, pattern=STRING, replacement=STRING, flags=_FLAG_TYPES),
    builtin("split", split, string=STRING, delimiter=STRING),
    builtin("extract", extract, string=STRING, pattern=STRING),
)
