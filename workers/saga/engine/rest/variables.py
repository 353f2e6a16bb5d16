r"""Filters by variables: `[{"name": "customer", "value": "\"4711\""}]`. What is compared is JSON text."""

from typing import Any

from .columns import Column, Special
from .conditions import Conditions, compare, is_absent
from .kinds import TEXT
from .problems import invalid_argument, unreadable

_VALUE = Column("value", TEXT, "v.value", by_prefix=True)


def by_variables(subject: str, owner: str, where: str = "1") -> Special:
    """Return the filter for things that have all of the given variables.

    `subject` is the thing's column (SQL) that has to be the `owner` column of such a variable, which is `v` in SQL, as
    in `where`.
    """

    def condition(value: Any, path: str) -> tuple[str, list[Any]]:  # noqa: ANN401 - whatever JSON holds
        if not isinstance(value, list):
            raise unreadable(path)
        conditions = Conditions()
        for number, wanted in enumerate(value):
            found = _wanted(wanted, f"{path}[{number}]")
            inner = f"SELECT {owner} FROM variables v WHERE {where} AND {found.where}"  # noqa: S608 - texts of ours
            conditions.add(f"{subject} IN ({inner})", *found.parameters)
        return conditions.where, conditions.parameters

    return condition


def _wanted(value: Any, path: str) -> Conditions:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(value, dict):
        raise unreadable(path)
    conditions = Conditions()
    for name, operand in value.items():
        if is_absent(operand):
            continue
        if name == "name":
            conditions.add("v.name = ?", TEXT.parse(operand, f"{path}.name"))
        elif name == "value":
            compare(conditions, _VALUE, operand, f"{path}.value")
        else:
            raise unreadable(path, name)
    for name in ("name", "value"):
        if is_absent(value.get(name)):
            message = f"No {name} provided."
            raise invalid_argument(message)
    return conditions
