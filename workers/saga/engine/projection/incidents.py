"""Which elements and instances show an incident: it is seen at its element and at everything around that."""

import sqlite3
from typing import Any

_KEY = "UPDATE element_instances SET incident_key = ? WHERE element_instance_key = ?"
_AROUND = """
WITH RECURSIVE around (key) AS (
    VALUES (?1)
    UNION ALL
    SELECT coalesce(
        (SELECT e.scope_key FROM element_instances e WHERE e.element_instance_key = around.key),
        (SELECT i.parent_element_instance_key FROM process_instances i WHERE i.process_instance_key = around.key)
    ) FROM around WHERE around.key IS NOT NULL
)
"""
_ELEMENTS = f"""{_AROUND}UPDATE element_instances SET incidents = incidents + ?2
WHERE element_instance_key IN (SELECT key FROM around)"""  # noqa: S608 - a text of ours
_INSTANCES = f"""{_AROUND}UPDATE process_instances SET incidents = incidents + ?2
WHERE process_instance_key IN (SELECT key FROM around)"""  # noqa: S608 - as above


class Standing:
    """Counts the incidents that opened and closed."""

    def __init__(self) -> None:
        """Begin with none."""
        self._key: dict[int, int | None] = {}
        self._change: dict[int, int] = {}

    def open(self, key: int, value: dict[str, Any]) -> None:
        """Note an incident that was created."""
        element = value["elementInstanceKey"]
        self._key[element] = key
        self._change[element] = self._change.get(element, 0) + 1

    def close(self, key: int, value: dict[str, Any]) -> None:
        """Note an incident that was resolved."""
        element = value["elementInstanceKey"]
        if self._key.get(element, key) == key:
            self._key[element] = None
        self._change[element] = self._change.get(element, 0) - 1

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what changed, after the elements themselves; then begin anew."""
        if not self._key:
            return
        connection.executemany(_KEY, [(key, element) for element, key in self._key.items()])
        changes = [change for change in self._change.items() if change[1]]
        connection.executemany(_ELEMENTS, changes)
        connection.executemany(_INSTANCES, changes)
        self._key.clear()
        self._change.clear()
