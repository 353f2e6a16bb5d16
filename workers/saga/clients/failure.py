"""How a command says that it cannot go on: one message for a person, and an exit status for a script."""


class Failure(Exception):
    """A command ends here; the message says what is wrong and what to do."""

    def __init__(self, message: str, status: int = 1) -> None:
        """Exit with `status`: 2 where the user's input is wrong and nothing was done, 1 for everything else."""
        super().__init__(message)
        self.status = status


def bad_input(message: str) -> Failure:
    """Say that the user's input is wrong; nothing was done with it."""
    return Failure(message, status=2)
