"""The variables that are visible in a scope, read when an expression asks for them."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from .entities import Tables, Variable

_decode = msgspec.json.Decoder().decode


class Scope(Mapping[str, Any]):
    """Variables by name; the nearest scope's hides those of the scopes around it."""

    def __init__(self, tables: Tables, scope: int) -> None:
        """`scope` is an element instance's key."""
        self._tables = tables
        self._scope = scope

    def chain(self) -> Iterator[int]:
        """Yield the keys of the scopes from the inside out."""
        scope = self._scope
        while scope != -1:
            yield scope
            scope = self._tables.elements[scope].scope

    def find(self, name: str) -> tuple[int, Variable] | None:
        """Return the nearest variable of a name, with the key of its scope."""
        variables, elements = self._tables.variables, self._tables.elements
        scope = self._scope
        while scope != -1:
            held = variables.get(scope)
            if held is not None and name in held:
                return scope, held[name]
            scope = elements[scope].scope
        return None

    def texts(self) -> dict[str, str]:
        """Return all that is visible, as JSON text by name."""
        found: dict[str, str] = {}
        for scope in self.chain():
            for name, variable in self._tables.variables.get(scope, {}).items():
                found.setdefault(name, variable.value)
        return found

    def document(self, names: list[str]) -> str:
        """Return the visible variables of these names as a JSON object; all of them where no name is given."""
        if not names:
            return to_document(self.texts())
        return to_document({name: found[1].value for name in names if (found := self.find(name))})

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        """Return a variable's value."""
        found = self.find(name)
        if found is None:
            raise KeyError(name)
        return _decode(found[1].value)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a variable of that name."""
        return isinstance(name, str) and self.find(name) is not None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self.texts())

    def __len__(self) -> int:
        """Count the names."""
        return len(self.texts())


NO_VARIABLES: Mapping[str, Any] = {}
"""For expressions that see none."""


def to_document(pairs: Mapping[str, str]) -> str:
    """Join JSON texts by name to a JSON object."""
    return "{" + ",".join(f"{_name(name)}:{text}" for name, text in pairs.items()) + "}"


def _name(name: str) -> str:
    return msgspec.json.encode(name).decode()
