"""Reads the words, numbers and texts of FEEL from a text."""

import re
from typing import NoReturn

from .errors import FeelSyntaxError

RESERVED = frozenset(
    {
        *("null", "true", "false", "function", "if", "then", "else", "for", "return", "between", "instance", "of"),
        *("in", "and", "or", "some", "every", "satisfies"),
    }
)
"""No variable and no entry after a dot may have such a name, outside backticks."""

_NAME = r"(?:[^\W\d]|\$)[\w$]*+"
_SKIP = re.compile(r"(?:\s++|//[^\n]*+|/\*(?:(?!\*/).)*+\*/)*+", re.DOTALL)
NAME = re.compile(_NAME)
QUOTED_NAME = re.compile(r"`([^`]++)`")
KEY = re.compile(r"[\w$]++")
NUMBER = re.compile(r"\d++(?:\.\d++)?|\.\d++", re.ASCII)
STRING = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL)
_PART = rf"(?!(?:{'|'.join(sorted(RESERVED - {'between', 'of'}))})(?![\w$])){_NAME}"
"""A word of a function's name. It may be `between`: in Camunda, `x between f(1) and 2` invokes `x between f`."""
CALL = re.compile(
    rf"(date\s++and\s++time|years\s++and\s++months\s++duration|get\s++or\s++else|and|or|{_PART}(?:\s++{_PART})*+)\s*+\("
)
TYPE = re.compile(
    r"(date\s++and\s++time|days\s++and\s++time\s++duration|years\s++and\s++months\s++duration|function|"
    rf"{_PART})(?![\w$])"
)
TIME_OFFSET = re.compile(r"time\s++offset(?![\w$])")
ARGUMENT_NAME = re.compile(rf"({_NAME}(?:\s++{_NAME})*+)\s*+:")
OPERATOR = re.compile(r"\*\*|<=|>=|!=|[-+*/<>=]|(?:and|or|in|between|instance)(?![\w$])")
CLOSING_BRACKET = re.compile(r"\[\s*+(?:\Z|[,)\]}]|(?:and|or)(?![\w$]))")
"""The end of an interval like ]1..5[, not the beginning of a filter."""
ORDER = re.compile(r"<=|>=|<|>")

_ESCAPES = {'\\"': '"', "\\'": "'", "\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\t": "\t"}
_ESCAPE = re.compile(r"\\.", re.DOTALL)


def unescape(text: str) -> str:
    r"""Resolve the escapes of a string literal; others, like \s of a pattern, stay as they are."""
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[0], match[0]), text) if "\\" in text else text


class Scanner:
    """A position in a text, and what can be read there."""

    def __init__(self, text: str) -> None:
        """Begin at the first thing that is no blank and no comment."""
        self.text = text
        self.position = 0
        self.skip()

    def skip(self) -> None:
        """Go on behind blanks and comments."""
        found = _SKIP.match(self.text, self.position)
        if found:
            self.position = found.end()

    def fail(self, expected: str, position: int | None = None) -> NoReturn:
        """Refuse the text.

        Raises:
            FeelSyntaxError: Always.

        """
        where = self.position if position is None else position
        found = self.text[where : where + 12].split("\n")[0].strip()
        message = f"expected {expected}, found " + (f"'{found}'" if found else "the end")
        raise FeelSyntaxError(message, self.text, where)

    def read(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read a pattern, and the blanks behind it."""
        match = pattern.match(self.text, self.position)
        if match is not None:
            self.position = match.end()
            self.skip()
        return match

    def at(self, token: str) -> bool:
        """Tell whether a sign stands here."""
        return self.text.startswith(token, self.position)

    def accept(self, token: str) -> bool:
        """Read a sign if it stands here."""
        if not self.at(token):
            return False
        self.position += len(token)
        self.skip()
        return True

    def expect(self, token: str) -> None:
        """Read a sign that must stand here."""
        if not self.accept(token):
            self.fail(f"'{token}'")

    def word(self) -> str:
        """Look at the word that stands here, without reading it."""
        match = NAME.match(self.text, self.position)
        return match[0] if match else ""

    def keyword(self, word: str) -> None:
        """Read a keyword that must stand here."""
        if self.word() != word:
            self.fail(f"'{word}'")
        self.position += len(word)
        self.skip()

    def name(self, what: str) -> str:
        """Read a name: a word that is not reserved, or anything in backticks."""
        if quoted := self.read(QUOTED_NAME):
            return quoted[1]
        word = self.word()
        if not word or word in RESERVED:
            self.fail(what)
        self.position += len(word)
        self.skip()
        return word
