"""A value in a diagram: static text, or a FEEL expression behind an equals sign."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...feel import Expression as Feel
from ...feel import Now, parse, to_json, type_name
from .records import Fault, not_extracted


@dataclass(slots=True, frozen=True)
class Expression:
    """A compiled value of the diagram."""

    text: str
    """As it stands in the diagram, without the equals sign."""
    feel: Feel | None = None
    """None for static text."""

    @classmethod
    def of(cls, text: str) -> "Expression":
        """Compile a value.

        Raises:
            FeelSyntaxError: It is an expression that cannot be parsed.
        """
        stripped = text.strip()
        if stripped.startswith("="):
            return cls(stripped[1:].strip(), parse(stripped[1:].strip()))
        return cls(text)

    def evaluate(self, variables: Mapping[str, Any], now: Now, fault: str = "EXTRACT_VALUE_ERROR") -> Any:  # noqa: ANN401 - FEEL's values
        """Return the value as FEEL has it.

        Raises:
            Fault: The evaluation failed as a whole.
        """
        return self.outcome(variables, now, fault)[0]

    def outcome(self, variables: Mapping[str, Any], now: Now, fault: str = "EXTRACT_VALUE_ERROR") -> tuple[Any, str]:
        """Return the value, and the warnings as they stand at the end of an incident's message.

        Raises:
            Fault: The evaluation failed as a whole.
        """
        if self.feel is None:
            return self.text, ""
        evaluation = self.feel.evaluate(variables, now)
        warnings = "; \n".join(f"[{warning.code}] {warning.text}" for warning in evaluation.warnings)
        told = f"\nThe evaluation reported the following warnings: \n{warnings}" if warnings else ""
        if evaluation.failure is not None:
            raise Fault(fault, f"Failed to evaluate expression '{self.text}': {evaluation.failure}{told}")
        return evaluation.value, told

    def typed(self, variables: Mapping[str, Any], now: Now, *types: str) -> Any:  # noqa: ANN401 - as the types say
        """Return the value where it is of one of FEEL's `types`.

        Raises:
            Fault: It is of another type.
        """
        value, warnings = self.outcome(variables, now)
        found = type_name(value)
        if found not in types:
            wanted = f"'{types[0]}'" if len(types) == 1 else f"one of '[{', '.join(types)}]'"
            message = f"Expected result of the expression '{self.text}' to be {wanted}, but was '{found}'.{warnings}"
            raise not_extracted(message)
        return value

    def string(self, variables: Mapping[str, Any], now: Now) -> str:
        """Return the text that the value is.

        Raises:
            Fault: It is none.
        """
        return self.text if self.feel is None else str(self.typed(variables, now, "STRING"))

    def json(self, variables: Mapping[str, Any], now: Now, fault: str) -> Any:  # noqa: ANN401 - any JSON
        """Return the value as it is stored in a variable.

        Raises:
            Fault: The evaluation failed as a whole.
        """
        return to_json(self.evaluate(variables, now, fault))

    @staticmethod
    def kind(value: Any) -> str:  # noqa: ANN401 - FEEL's values
        """Return the name of a value's type, such as STRING."""
        return type_name(value)

    @staticmethod
    def to_json(value: Any) -> Any:  # noqa: ANN401 - FEEL's values
        """Return a value as it is stored in a variable."""
        return to_json(value)
