"""Which processes a command is about."""

from saga.clients.failure import bad_input
from saga.kit.definition.registry import SagaRegistry, discover_sagas


def chosen(process: str | None) -> SagaRegistry:
    """Return the process with this id; None is all of them.

    Raises:
        Failure: No process has this id, or the project defines none.
    """
    sagas = discover_sagas()
    found = [each for each in sagas.definitions if process in {None, each.process}]
    if not found:
        there_are = ", ".join(each.process for each in sagas.definitions) or "none"
        message = f"No package in workers/ defines the process {process or 'of a saga'}; there are {there_are}."
        raise bad_input(message)
    return SagaRegistry(found)
