"""The parser's lower half: literals, lists, contexts, intervals, functions and their invocations."""

from abc import abstractmethod
from decimal import Decimal
from typing import Any, NamedTuple

from . import calls, nodes, paths
from .errors import Missing
from .functions import LACKING
from .nodes import Closure
from .scanner import ARGUMENT_NAME, CALL, KEY, NUMBER, STRING, Scanner, unescape
from .temporal import parse_temporal

_LITERALS = {"null": None, "true": True, "false": False}


class Node(NamedTuple):
    """A part of an expression."""

    evaluate: Closure
    kind: str = ""
    """VARIABLE, NUMBER, TEST, CALL, RANGE or nothing special."""
    value: Any = None
    """VARIABLE: its name. NUMBER: the number. RANGE: the closure that gives the interval itself."""


class Terms(Scanner):
    """What operators and control flow are made of."""

    def __init__(self, text: str) -> None:
        """Begin at the start of the text."""
        super().__init__(text)
        self.size = 0
        """Parts of the expression so far."""
        self.partial = False
        """The body of the loop that is being read asks for `partial`."""
        self._defines_functions = "function" in text

    @abstractmethod
    def expression(self) -> Node:
        """Read a whole expression."""

    def primary(self) -> Node:
        """Read a literal, a name, an invocation or anything in brackets."""
        self.size += 1
        if literal := self.read(STRING):
            return Node(nodes.constant(unescape(literal[1])))
        if literal := self.read(NUMBER):
            number = Decimal(literal[0])
            return Node(nodes.constant(number), "NUMBER", number)
        opening = {
            "(": self._parenthesis,
            "[": self._list,
            "]": self._open_interval,
            "{": self._context,
            "@": self._temporal,
            "?": self._input,
        }.get(self.text[self.position : self.position + 1])
        if opening is None:
            return self._name()
        self.position += 1
        self.skip()
        return opening()

    def _input(self) -> Node:
        return Node(paths.variable("?"), "VARIABLE", "?")

    def _open_interval(self) -> Node:
        return self.interval(self.expression(), start_closed=False)

    def _temporal(self) -> Node:
        literal = self.read(STRING)
        if literal is None:
            self.fail("a date, time or duration in quotes")
        return Node(nodes.constant(parse_temporal(unescape(literal[1]))))

    def _name(self) -> Node:
        word = self.word()
        if word == "function" and self.text.startswith("(", self._behind(word)):
            return self._function()
        start = self.position
        call = CALL.match(self.text, start)
        if call is not None:
            self.position = call.end()
            self.skip()
            return self._call(" ".join(call[1].split()), start)
        if word in _LITERALS:
            self.keyword(word)
            return Node(nodes.constant(_LITERALS[word]))
        name = self.name("an expression")
        if name == "partial":
            self.partial = True
        return Node(paths.variable(name), "VARIABLE", name)

    def _behind(self, word: str) -> int:
        start = self.position
        self.keyword(word)
        self.position, behind = start, self.position
        return behind

    def _parenthesis(self) -> Node:
        node = self.expression()
        if self.at(".."):
            return self.interval(node, start_closed=False)
        self.expect(")")
        return Node(node.evaluate, node.kind if node.kind == "NUMBER" else "", node.value)

    def _list(self) -> Node:
        items: list[Closure] = []
        while not self.accept("]"):
            if items:
                self.expect(",")
            node = self.expression()
            if not items and self.at(".."):
                return self.interval(node, start_closed=True)
            items.append(node.evaluate)
        return Node(nodes.list_of(tuple(items)))

    def interval(self, start: Node, *, start_closed: bool) -> Node:
        """Read the second half of an interval."""
        self.expect("..")
        end = self.expression()
        end_closed = self.accept("]")
        if not end_closed and not self.accept(")"):
            self.expect("[")
        value = nodes.interval_value(start.evaluate, end.evaluate, start_closed=start_closed, end_closed=end_closed)
        return Node(nodes.interval_test(value, paths.variable("?")), "RANGE", value)

    def _context(self) -> Node:
        entries: list[tuple[str, Closure]] = []
        while not self.accept("}"):
            if entries:
                self.expect(",")
            if literal := self.read(STRING):
                key = unescape(literal[1])
            elif word := self.read(KEY):
                key = word[0]
            else:
                key = self.name("the name of an entry")
            self.expect(":")
            entries.append((key, self.expression().evaluate))
        return Node(nodes.context_of(tuple(entries)))

    def _function(self) -> Node:
        size = self.size
        self.keyword("function")
        self.expect("(")
        parameters: list[str] = []
        while not self.accept(")"):
            if parameters:
                self.expect(",")
            parameters.append(self.name("the name of a parameter"))
        body = self.expression()
        return Node(nodes.function_of(tuple(parameters), body.evaluate, self.size - size + 1))

    def _call(self, name: str, start: int) -> Node:
        if name in LACKING:
            raise Missing(name, self.text, start)
        names: list[str] = []
        arguments: list[Closure] = []
        while not self.accept(")"):
            if arguments:
                self.expect(",")
            named = ARGUMENT_NAME.match(self.text, self.position) if not arguments or names else None
            if named is not None:
                self.read(ARGUMENT_NAME)
                names.append(" ".join(named[1].split()))
            elif names:
                self.fail("the name of an argument")
            node = self.expression()
            arguments.append(node.value if node.kind == "RANGE" else node.evaluate)
        closure = calls.invocation(name, tuple(arguments), tuple(names), dynamic=self._defines_functions)
        return Node(closure, "CALL")
