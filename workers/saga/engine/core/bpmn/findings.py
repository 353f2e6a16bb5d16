"""What is wrong with a diagram: all of it is told at once."""

from collections import defaultdict

HINT = "The embedded engine does not run it; a Camunda 8 cluster may."


class InvalidModelError(Exception):
    """A resource that is not deployed; the message says why, a line each finding."""


class Findings:
    """Collects what is wrong, by element."""

    def __init__(self) -> None:
        """Nothing is wrong yet."""
        self._found: dict[str, list[str]] = defaultdict(list)

    def add(self, element: str, message: str) -> None:
        """Note an error of an element; its path where it is inside one, `id > child`."""
        if message not in self._found[element]:
            self._found[element].append(message)

    def unsupported(self, element: str, what: str) -> None:
        """Note that something is legal BPMN and not for this engine."""
        self.add(element, f"{what} are currently not supported. {HINT}")

    def check(self) -> None:
        """Do nothing where nothing is wrong.

        Raises:
            InvalidModelError: Something is.
        """
        found = {element: messages for element, messages in self._found.items() if messages}
        if found:
            lines = [
                f"- Element: {element}\n" + "\n".join(f"    - ERROR: {message}" for message in messages)
                for element, messages in found.items()
            ]
            raise InvalidModelError("\n".join(lines))
