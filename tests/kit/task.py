"""What the steps of the runtime's tests read and leave behind."""

from saga.kit import Receipt, Variables


class Task(Variables):
    name: str

    @property
    def saga_id(self) -> str:
        return self.name


class Done(Receipt):
    name: str
