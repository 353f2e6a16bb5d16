"""Read settings from the environment; what is wrong there is named, and its value is not repeated."""

from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from saga.clients.failure import bad_input
from saga.kit.definition.variables import field_errors

_Settings = TypeVar("_Settings", bound=BaseSettings)


def read(settings: type[_Settings]) -> _Settings:
    """Read settings of this kind.

    Raises:
        Failure: A variable is not as it must be; the message names it.
    """
    try:
        return settings()
    except ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "").upper()
        lines = (
            f"  {prefix}{each.field if not prefix else each.field.upper()}: {each.message}"
            for each in field_errors(error)
        )
        message = "The environment is not as it must be; mend these variables:\n" + "\n".join(lines)
        raise bad_input(message) from None
