"""Why a text is not an expression that can run."""


class FeelSyntaxError(ValueError):
    """The text is not a FEEL expression. `str()` of it is one line for people."""

    def __init__(self, message: str, text: str, position: int) -> None:
        """Say what is wrong at a position of the text."""
        self.message = message
        before = text[:position]
        self.line = before.count("\n") + 1
        self.column = position - (before.rfind("\n") + 1) + 1
        shown = " ".join(text.split())
        shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
        super().__init__(f"failed to parse expression '{shown}': {message} (line {self.line}, column {self.column})")


class Missing(FeelSyntaxError):
    """The expression uses a function that Camunda has and this evaluator lacks."""

    def __init__(self, function: str, text: str, position: int) -> None:
        """Name the function."""
        self.function = function
        super().__init__(f"the function '{function}' is not supported", text, position)


_SHOWN = 200
"""Characters of the expression in the message."""
