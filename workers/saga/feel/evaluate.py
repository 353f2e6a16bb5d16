"""Expressions that are parsed once and evaluated often."""

from collections.abc import Mapping
from decimal import DecimalException
from functools import lru_cache
from typing import Any, NamedTuple

from .errors import FeelSyntaxError
from .nodes import Closure
from .parse import Parser
from .scope import Failure, Now, Run, Warning_
from .values import check_size

MAX_LENGTH = 200_000
"""Characters of an expression."""
MAX_PARTS = 1_000_000
"""Parts of a result."""
_CACHED = 2_048
"""Expressions that are kept parsed."""
_CACHED_LENGTH = 5_000
"""Characters of an expression that is kept."""


class Evaluation(NamedTuple):
    """What came out of an evaluation."""

    value: Any
    """A FEEL value; None is null. `to_json` turns it into what a variable holds."""
    warnings: list[Warning_]
    failure: str | None
    """Why the evaluation failed as a whole; the value is then None."""


class Expression:
    """A parsed expression."""

    __slots__ = ("_evaluate", "text")

    def __init__(self, text: str, evaluate: Closure) -> None:
        """Keep the text beside what it means."""
        self.text = text
        self._evaluate = evaluate

    def evaluate(self, context: Mapping[str, Any], now: Now) -> Evaluation:
        """Evaluate; never raises for what a text or a context can cause.

        Args:
            context: Values as json.loads gives them. Only the names that the expression needs are looked up.
            now: Clock, zone and seed.

        """
        run = Run(context, now)
        try:
            value = self._evaluate(run)
            if type(value) is list or type(value) is dict:
                check_size(value, MAX_PARTS)
        except Failure as failure:
            return Evaluation(None, run.warnings, failure.describe(self.text))
        except RecursionError:
            return Evaluation(None, run.warnings, self._failed("it is nested too deeply"))
        except DecimalException:
            return Evaluation(None, run.warnings, self._failed("a number is out of range"))
        except (ArithmeticError, ValueError) as error:
            # What the library raises for numbers, dates and patterns out of its range fails the evaluation in
            # Camunda as well.
            return Evaluation(None, run.warnings, self._failed(str(error) or type(error).__name__))
        return Evaluation(value, run.warnings, None)

    def _failed(self, reason: str) -> str:
        return Failure(reason).describe(self.text)


def parse(text: str) -> Expression:
    """Parse an expression, without the `=` in front; what was parsed before is not parsed again.

    Raises:
        FeelSyntaxError: It is not an expression, or uses a function that is lacking (Missing).

    """
    return _parse_once(text) if len(text) <= _CACHED_LENGTH else _parse(text)


def _parse(text: str) -> Expression:
    if len(text) > MAX_LENGTH:
        message = f"expected at most {MAX_LENGTH} characters"
        raise FeelSyntaxError(message, text, MAX_LENGTH)
    parser = Parser(text)
    try:
        return Expression(text, parser.parse())
    except RecursionError:
        parser.too_deep()
        raise


_parse_once = lru_cache(maxsize=_CACHED)(_parse)
