"""Changes that can be taken back."""

from typing import Any

import msgspec

_MISSING: Any = object()
Table = dict[Any, Any]


class Journal:
    """Makes changes to tables and entities, and notes for each how to undo it."""

    def __init__(self) -> None:
        """Nothing has been changed yet."""
        self._undo: list[tuple[Any, Any, Any]] = []
        """(table or entity, key or field, what stood there before)"""

    def put(self, table: Table, key: Any, value: Any) -> None:  # noqa: ANN401 - any table
        """Set an entry of a table."""
        self._undo.append((table, key, table.get(key, _MISSING)))
        table[key] = value

    def drop(self, table: Table, key: Any) -> Any:  # noqa: ANN401 - any table
        """Remove an entry of a table and return it; None where there is none."""
        old = table.pop(key, _MISSING)
        if old is _MISSING:
            return None
        self._undo.append((table, key, old))
        return old

    def change(self, entity: msgspec.Struct, name: str, value: Any) -> None:  # noqa: ANN401 - any field
        """Set a field of an entity."""
        self._undo.append((entity, name, getattr(entity, name)))
        setattr(entity, name, value)

    def index(self, table: Table, key: Any, member: Any) -> None:  # noqa: ANN401 - any index
        """Add a member to an index's entry."""
        members = table.get(key)
        if members is None:
            members = {}
            self.put(table, key, members)
        self.put(members, member, None)

    def unindex(self, table: Table, key: Any, member: Any) -> None:  # noqa: ANN401 - any index
        """Remove a member from an index's entry."""
        members = table.get(key)
        if members is not None:
            self.drop(members, member)
            if not members:
                self.drop(table, key)

    def mark(self) -> int:
        """Return a point to which `rollback` can go back."""
        return len(self._undo)

    def rollback(self, mark: int) -> None:
        """Take back all changes since `mark`."""
        while len(self._undo) > mark:
            target, name, old = self._undo.pop()
            if not isinstance(target, dict):
                setattr(target, name, old)
            elif old is _MISSING:
                del target[name]
            else:
                target[name] = old

    def commit(self) -> None:
        """Keep all changes; there is no way back from here."""
        self._undo.clear()
