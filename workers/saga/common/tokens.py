"""Bearer tokens by caller: read from files that may change at any moment, or from the environment.

A caller is named after what it may do: the worker of the task type `reserve-inventory` is the caller of that name. The
folder `TOKENS` holds a file for each, as a mounted secret does; its first line is the token that the caller sends, and
further lines are accepted as well. So a token is rotated without a restart: write the new one above the old one, and
take the old one away once nobody sends it. Without the folder, `TOKEN_RESERVE_INVENTORY` in the environment holds it.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

_FRESH = 1.0
"""Seconds for which what was read is not looked at again: more often would cost each request a system call.

A token that was missing is looked for each time: whoever puts it there and then retries has it used.
"""


class TokenMissingError(Exception):
    """There is no token for this caller; the message says where one is expected, and holds none."""


class Tokens:
    """The tokens of any number of callers, each read when it is first asked for."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read from the folder `TOKENS` where `environment` names one, else from its `TOKEN_<CALLER>`."""
        folder = environment.get("TOKENS")
        self._folder = Path(folder) if folder else None
        self._environment = environment
        self._read: dict[str, tuple[float, tuple[str, ...]]] = {}

    def current(self, caller: str, *, look_again: bool = False) -> str:
        """Return the token that `caller` sends; with `look_again`, what was read a moment ago does not count.

        Raises:
            TokenMissingError: There is none, or it cannot be read.
        """
        where = self._folder / caller if self._folder else _variable(caller)
        try:
            accepted = self.accepted(caller, look_again=look_again)
        except (OSError, UnicodeDecodeError) as error:
            message = f"The token of {caller} cannot be read: {where} ({type(error).__name__})."
            raise TokenMissingError(message) from None
        if not accepted:
            message = f"There is no token for {caller}: {where} is not there, or empty."
            raise TokenMissingError(message)
        return accepted[0]

    def authorization(self, caller: str, *, look_again: bool = False) -> dict[str, str]:
        """Return the header by which `caller` says who it is; takes and raises what `current` does."""
        return {"Authorization": f"Bearer {self.current(caller, look_again=look_again)}"}

    def accepted(self, caller: str, *, look_again: bool = False) -> tuple[str, ...]:
        """Return every token that proves to be `caller`: the current one first, none where it has none.

        With `look_again`, what was read a moment ago does not count.
        """
        now = time.monotonic()
        read_at, tokens = self._read.get(caller, (now, ()))
        if look_again or not tokens or now - read_at >= _FRESH:
            tokens = self._look_up(caller)
            self._read[caller] = now, tokens
        return tokens

    def _look_up(self, caller: str) -> tuple[str, ...]:
        if self._folder is None:
            return tuple(filter(None, [self._environment.get(_variable(caller), "").strip()]))
        try:
            text = (self._folder / caller).read_text(encoding="ascii")
        except (FileNotFoundError, NotADirectoryError):
            return ()
        return tuple(line.strip() for line in text.splitlines() if line.strip())


def _variable(caller: str) -> str:
    return f"TOKEN_{caller.replace('-', '_').upper()}"


def read_tokens() -> Tokens:
    """Return the tokens that this process's environment names."""
    return Tokens(os.environ)
