"""Bodies of commands: which properties one may have, and how each is read."""

from collections.abc import Mapping
from typing import Any

from .kinds import Parse, parse_date, parse_integer, parse_text
from .problems import Problem, invalid_argument, unreadable

Fields = Mapping[str, Parse]
"""The properties of an object, by name."""

TENANT = "<default>"
"""The one tenant."""


def read(fields: Fields, value: Any, path: str = "", *, empties: bool = False) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Read an object; what is null, [] or {} is absent.

    With `empties` [] and {} have a meaning and only null is absent.

    Raises:
        Problem: It is no object, has an unknown property, or a value of the wrong type.
    """
    if not isinstance(value, dict):
        raise unreadable(path or "$")
    given = {}
    for name, each in value.items():
        if each is None or (not empties and each in ([], {})):
            continue
        here = f"{path}.{name}" if path else name
        if (parse := fields.get(name)) is None:
            raise unreadable(here)
        given[name] = parse(each, here)
    return given


def required(given: Mapping[str, Any], *names: str) -> None:
    """Check that mandatory properties are there and not empty.

    Raises:
        Problem: One is not.
    """
    for name in names:
        if given.get(name) in (None, ""):
            message = f"No {name} provided."
            raise invalid_argument(message)


def ignored(_value: Any, _path: str) -> None:  # noqa: ANN401 - whatever JSON holds
    """Read a property of the API that has no effect on one engine without users, tenants and leases."""


def unsupported(_value: Any, path: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Refuse a property of the API that promises what this engine does not do."""
    message = f"Request property [{path}] is not supported by this engine"
    raise invalid_argument(message)


def of_object(value: Any, path: str) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON holds
    """Read an object with any properties, such as variables."""
    if not isinstance(value, dict):
        raise unreadable(path)
    return value


def objects(fields: Fields) -> Parse:
    """Return how a list of objects is read."""

    def parse(value: Any, path: str) -> list[dict[str, Any]]:  # noqa: ANN401 - whatever JSON holds
        if not isinstance(value, list):
            raise unreadable(path)
        return [read(fields, each, f"{path}[{number}]") for number, each in enumerate(value)]

    return parse


def texts(value: Any, path: str) -> list[str]:  # noqa: ANN401 - whatever JSON holds
    """Read a list of texts."""
    if not isinstance(value, list):
        raise unreadable(path)
    return [parse_text(each, f"{path}[{number}]") for number, each in enumerate(value)]


def tenant(value: Any, path: str) -> str:  # noqa: ANN401 - whatever JSON holds
    """Read a tenant: the one that there is, or an empty text."""
    if (text := parse_text(value, path)) not in {"", TENANT}:
        raise foreign_tenant(text)
    return TENANT


def tenants(value: Any, path: str) -> list[str]:  # noqa: ANN401 - whatever JSON holds
    """Read a list of tenants."""
    return [tenant(each, path) for each in texts(value, path)]


def foreign_tenant(tenant_id: str) -> Problem:
    """Return the problem of a tenant that is not here."""
    return invalid_argument(
        f"Expected to handle request with tenant identifier '{tenant_id}', but multi-tenancy is disabled"
    )


def not_negative(value: Any, path: str) -> int:  # noqa: ANN401 - whatever JSON holds
    """Read a duration in milliseconds."""
    if (number := parse_integer(value, path)) < 0:
        message = f"The value for {path} is '{number}' but must be greater or equal to 0."
        raise invalid_argument(message)
    return number


def date_text(value: Any, path: str) -> str:  # noqa: ANN401 - whatever JSON holds
    """Read a date and time and leave it as it is; "" means that there is none."""
    if value != "":
        parse_date(value, path)
    return parse_text(value, path)
