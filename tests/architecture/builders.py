"""Who builds the replies to Zeebe, read from the source."""

import ast
from collections.abc import Iterator

from tests.architecture.imports import modules

REPLIES = frozenset({"Complete", "Fail", "Throw"})
"""The classes of a job's reply."""
REQUESTS = frozenset({"CompleteJobRequest", "FailJobRequest", "ThrowErrorRequest"})
"""The gateway's messages that carry them."""
OUTCOMES = "saga.kit.definition.outcomes"


def calls(source: str, names: frozenset[str]) -> Iterator[str]:
    """Return each of the `names` that the source calls, under the name of its import or of an alias."""
    tree = ast.parse(source)
    aliases = {
        each.asname or each.name: each.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            name = aliases.get(called, called)
            if name in names:
                yield name


def builders(names: frozenset[str]) -> set[str]:
    """Return the modules of the workers that call one of `names`."""
    return {
        module
        for module, path in modules().items()
        if not module.startswith("services.") and any(calls(path.read_text(encoding="utf-8"), names))
    }
