"""How much is active in a process instance, so that one that multiplies its tokens is noticed."""

from .entities import ElementInstance, Tables
from .journal import Journal

MAX_ACTIVE = 100_000
"""Element instances and tokens of a process instance at once, with those of the instances that it calls."""


class Active:
    """Counts element instances and tokens of each process instance, with those of the instances that it has called."""

    def __init__(self, journal: Journal) -> None:
        """Nothing is active; changes are made by `journal`."""
        self._journal = journal
        self.count: dict[int, int] = {}
        """By the key of the process instance that was called by none."""
        self.root: dict[int, int] = {}
        """That key, by the key of an instance that was called."""

    def has_room(self, process_instance: int, more: int = 0) -> bool:
        """Tell whether so many more may be active in an instance and in what has called it or was called by it."""
        return self.count.get(self.root.get(process_instance, process_instance), 0) + more <= MAX_ACTIVE

    def enter(self, tables: Tables, entered: ElementInstance) -> None:
        """Count an element instance with the tokens in it."""
        if entered.scope == -1 and entered.parent != -1:
            caller = tables.elements[entered.parent].process_instance
            self._journal.put(self.root, entered.key, self.root.get(caller, caller))
        self.add(entered, 1 + entered.tokens)

    def leave(self, left: ElementInstance) -> None:
        """Count an element instance and the tokens in it no more."""
        self.add(left, -1 - left.tokens)
        if left.scope == -1 and left.parent != -1:
            self._journal.drop(self.root, left.key)

    def add(self, inside: ElementInstance, by: int) -> None:
        """Add to what is active in the process instance of an element instance."""
        root = self.root.get(inside.process_instance, inside.process_instance)
        count = self.count.get(root, 0) + by
        if count:
            self._journal.put(self.count, root, count)
        else:
            self._journal.drop(self.count, root)
