"""Recursive descent from a text to closures. Nothing is read twice, so the time is linear."""

from . import arithmetic, loops, nodes, paths
from .nodes import Closure
from .scanner import CLOSING_BRACKET, OPERATOR, ORDER, TIME_OFFSET, TYPE
from .terms import Node, Terms

MAX_DEPTH = 100
"""Levels of brackets, branches and loops in an expression."""

_OR, _AND, _COMPARISON, _SUM, _PRODUCT, _POWER = range(1, 7)
_RANKS = {"or": _OR, "and": _AND, "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "**": _POWER}
_ARITHMETIC: dict[str, arithmetic.Operation] = {
    "+": arithmetic.add,
    "-": arithmetic.subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
    "**": arithmetic.power,
}


class Parser(Terms):
    """One pass over one text."""

    def __init__(self, text: str) -> None:
        """Begin at the start of the text."""
        super().__init__(text)
        self._depth = 0

    def parse(self) -> Closure:
        """Read the whole text.

        Raises:
            FeelSyntaxError: It is not an expression.

        """
        node = self.expression()
        if self.position < len(self.text):
            self.fail("an operator or the end")
        return node.evaluate

    def expression(self) -> Node:
        """Read `if`, `for`, `some`, `every` or a chain of operators."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.too_deep()
        word = self.word()
        if word == "if":
            node = self._condition()
        elif word == "for":
            node = self._loop()
        elif word in {"some", "every"}:
            node = self._quantified(word)
        else:
            node = self._operators(_OR)
        self._depth -= 1
        return node

    def too_deep(self) -> None:
        """Refuse the text for its depth."""
        self.fail(f"at most {MAX_DEPTH} levels; it is nested too deeply")

    def _condition(self) -> Node:
        self.keyword("if")
        test = self.expression()
        self.keyword("then")
        then = self.expression()
        self.keyword("else")
        otherwise = self.expression()
        return Node(nodes.condition(test.evaluate, then.evaluate, otherwise.evaluate))

    def _iterations(self, keyword: str) -> tuple[loops.Iteration, ...]:
        self.keyword(keyword)
        found: list[loops.Iteration] = []
        while not found or self.accept(","):
            name = self.name("a name")
            self.keyword("in")
            source = self.expression()
            end = self.expression().evaluate if self.accept("..") else None
            found.append(loops.Iteration(name, source.evaluate, end))
        return tuple(found)

    def _loop(self) -> Node:
        size = self.size
        iterations = self._iterations("for")
        outer_partial = self.partial
        self.keyword("return")
        self.partial = False
        body = self.expression()
        closure = loops.loop(iterations, body.evaluate, self.size - size + 1, partial=self.partial)
        self.partial = outer_partial
        return Node(closure)

    def _quantified(self, word: str) -> Node:
        size = self.size
        iterations = self._iterations(word)
        self.keyword("satisfies")
        test = self.expression()
        closure = loops.quantified(iterations, test.evaluate, self.size - size + 1, decisive=word == "some")
        return Node(closure, "TEST")

    def _operator(self) -> str:
        match = OPERATOR.match(self.text, self.position)
        return match[0] if match else ""

    def _rank(self, operator: str) -> int:
        return _RANKS.get(operator, _COMPARISON) if operator else 0

    def _operators(self, lowest: int) -> Node:
        left = self._unary()
        while (rank := self._rank(operator := self._operator())) >= lowest:
            if left.kind == "RANGE" and rank > _AND:
                self.fail("'and', 'or' or the end")
            if rank == _COMPARISON:
                left = self._comparison(left, operator)
                if self._rank(self._operator()) > _AND:
                    self.fail("'and', 'or' or the end")
                continue
            operands = [left.evaluate]
            operators = []
            while self._rank(operator) == rank:
                operators.append(operator)
                self.position += len(operator)
                self.skip()
                right = self._operators(rank + 1)
                if right.kind == "RANGE" and rank > _AND:
                    self.fail("a value, not a range")
                operands.append(right.evaluate)
                operator = self._operator()
            left = self._chain(rank, operands, operators)
        return left

    def _chain(self, rank: int, operands: list[Closure], operators: list[str]) -> Node:
        self.size += len(operators)
        if rank <= _AND:
            return Node(nodes.logic(tuple(operands), decisive=rank == _OR))
        rest = zip((_ARITHMETIC[operator] for operator in operators), operands[1:], strict=True)
        return Node(nodes.fold(operands[0], tuple(rest)))

    def _comparison(self, left: Node, operator: str) -> Node:
        self.size += 1
        self.position += len(operator)
        self.skip()
        if operator == "in":
            return Node(nodes.membership(left.evaluate, self._tests()), "TEST")
        if operator == "instance":
            self.keyword("of")
            return Node(nodes.instance_of(left.evaluate, self._type()), "TEST")
        right = self._operand()
        if operator == "between":
            self.keyword("and")
            return Node(nodes.between(left.evaluate, right, self._operand()), "TEST")
        if operator in {"=", "!="}:
            closure = nodes.equality(left.evaluate, right, negated=operator == "!=")
            return Node(closure, "TEST" if operator == "=" else "")
        return Node(nodes.comparison(operator, left.evaluate, right), "TEST")

    def _operand(self) -> Closure:
        node = self._operators(_SUM)
        if node.kind == "RANGE":
            self.fail("a value, not a range")
        return node.evaluate

    def _type(self) -> str:
        name = self.read(TYPE)
        if name is None:
            self.fail("the name of a type")
        return " ".join(name[1].split())

    def _tests(self) -> tuple[Closure, ...]:
        if not self.at("("):
            return (self._test(self._operators(_SUM) if not ORDER.match(self.text, self.position) else None),)
        start = self.position
        self.accept("(")
        found: list[Closure] = []
        while not found or self.accept(","):
            first = self.expression() if not ORDER.match(self.text, self.position) else None
            if first is not None and not found and self.at(".."):
                return (self.interval(first, start_closed=False).evaluate,)
            found.append(self._test(first))
        if not self.accept(")"):
            self.fail("')'", start if self.position >= len(self.text) else None)
        return tuple(found)

    def _test(self, node: Node | None) -> Closure:
        if node is None:
            operator = self.read(ORDER)
            right = self._operand()
            return nodes.comparison(operator[0] if operator else "", paths.variable("?"), right)
        return node.evaluate if node.kind in {"RANGE", "TEST"} else nodes.input_test(node.evaluate)

    def _unary(self) -> Node:
        minus = 0
        while self.accept("-"):
            minus += 1
        node = self._postfix()
        if minus == 0:
            return node
        if node.kind == "NUMBER":
            number = node.value.copy_negate() if minus % 2 and node.value else node.value
            return Node(nodes.constant(number), "NUMBER", number)
        if node.kind == "RANGE":
            self.fail("a value, not a range")
        closure = nodes.negation(node.evaluate)
        return Node(closure if minus % 2 else nodes.negation(closure))

    def _postfix(self) -> Node:
        node = self.primary()
        while node.kind != "RANGE":
            if self.at(".") and not self.at(".."):
                node = self._path(node)
            elif self.at("[") and not CLOSING_BRACKET.match(self.text, self.position):
                self.accept("[")
                node = self._filter(node)
            else:
                break
            self.size += 1
        return node

    def _path(self, node: Node) -> Node:
        keys = []
        while self.at(".") and not self.at(".."):
            self.accept(".")
            keys.append("time offset" if self.read(TIME_OFFSET) else self.name("a name"))
        if node.kind == "VARIABLE":
            return Node(paths.variable_path(node.value, tuple(keys)))
        return Node(paths.value_path(node.evaluate, tuple(keys)))

    def _filter(self, source: Node) -> Node:
        size = self.size
        test = self.expression()
        self.expect("]")
        if test.kind == "NUMBER":
            return Node(loops.index(source.evaluate, test.value))
        may_be_index = test.kind not in {"TEST", "CALL", "RANGE"}
        cost = self.size - size + 1
        return Node(loops.selection(source.evaluate, test.evaluate, cost, may_be_index=may_be_index))
