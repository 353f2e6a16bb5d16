"""The tokens that tell a participant who asks."""

import os
from typing import TYPE_CHECKING

from saga.common.tokens import TokenMissingError, Tokens

if TYPE_CHECKING:
    from saga.kit.definition.service import TokenOf


def are_named() -> bool:
    """Tell whether the environment says where tokens are: in the folder `TOKENS`, or in `TOKEN_<CALLER>`."""
    return any(value and (name == "TOKENS" or name.startswith("TOKEN_")) for name, value in os.environ.items())


def for_step(tokens: Tokens) -> "TokenOf":
    """Return how a step's token is looked up: by its task type, at each command."""
    from saga.kit.definition.outcomes import Broken  # noqa: PLC0415 - the kit brings gRPC, and who starts services has no use for it

    def token(task_type: str, *, look_again: bool = False) -> str:
        try:
            return tokens.current(task_type, look_again=look_again)
        except TokenMissingError as error:
            message = f"{error} Put the one there that the participant knows (docs/participants.md), then retry."
            raise Broken(message) from None

    return token
