"""Write the README's saga table from its two sources: the diagram's elements and the steps' code.

`make docs` runs it; a test fails where the README differs from what it would write.
"""

import asyncio
import json
import sys
from typing import TypeVar
from xml.etree import ElementTree as ET

from pydantic import BaseModel

import order_fulfillment.steps
from saga.common.project import BPMN, ROOT
from saga.kit import Job, Service, Step
from saga.kit.definition.discovery import discover
from saga.kit.definition.handler import Handler

README = ROOT / "README.md"
DIAGRAM = BPMN / "order-fulfillment.bpmn"
BEGIN = "<!-- saga table: begin (`make docs` writes it) -->"
END = "<!-- saga table: end -->"

_HEADER = "| Element | Task type (do) | Command | Task type (undo) | Command | Refusals |\n|---|---|---|---|---|---|"
_TASK = "{http://www.omg.org/spec/BPMN/20100524/MODEL}serviceTask"
_DEFINITION = "{http://camunda.org/schema/zeebe/1.0}taskDefinition"
_ORDER = "ORDER_ID"
_Answer = TypeVar("_Answer", bound=BaseModel)


class _Listener(Service):
    """A participant that carries nothing out: it writes down what a step asks for."""

    def __init__(self, name: str, heard: list[str]) -> None:
        self._asked = name
        self._heard = heard

    async def put(self, path: str, answer: type[_Answer], body: BaseModel | None = None) -> _Answer:  # noqa: ARG002 - a Service's form
        return self._hear("PUT", path, answer)

    async def delete(self, path: str, answer: type[_Answer]) -> _Answer:
        return self._hear("DELETE", path, answer)

    def _hear(self, method: str, path: str, answer: type[_Answer]) -> _Answer:
        self._heard.append(f"{self._asked}: `{method} {path.replace(_ORDER, '{order}')}`")
        return answer.model_construct()


def commands(handler: Handler) -> list[str]:
    """Return the commands that a handler sends to participants, in order, by letting it speak to nobody."""
    example = json.loads((DIAGRAM.parent / "examples" / "fulfilled.json").read_text(encoding="utf-8"))
    priced = {"acceptance": {"total": {"amount": 1, "currency": "EUR"}}}
    variables = handler.parse(json.dumps({**example, **priced, "orderId": _ORDER}))
    heard: list[str] = []
    arguments: dict[str, object] = {name: _Listener(name, heard) for name in handler.services}
    if handler.job_parameter is not None:
        arguments[handler.job_parameter] = Job(0, handler.task_type, 0, 0, "", "", 0, 0.0)

    async def speak() -> None:
        await handler.function(variables, **arguments)

    asyncio.run(speak())
    return heard


def elements() -> dict[str, str]:
    """Return the names of the diagram's service tasks by task type, in the order of the diagram."""
    tasks = ET.parse(DIAGRAM).iter(_TASK)  # noqa: S314 - our own file
    return {definition.get("type", ""): task.get("name", "") for task in tasks for definition in task.iter(_DEFINITION)}


def saga_table() -> str:
    """Return the table: a line per step, in the order of the diagram.

    Raises:
        SystemExit: The diagram has no task for a step, or for its undo.
    """
    names = elements()
    order = list(names)
    steps = discover(order_fulfillment.steps)
    done = {handler.task_type for step in steps for handler in step.handlers()}
    if undrawn := done - names.keys():
        drawn = ", ".join(sorted(names.keys() - done))
        message = f"No task in {DIAGRAM.name} has the type {', '.join(sorted(undrawn))}, which a step does."
        message += f" Tasks that no step does have the type {drawn}." if drawn else ""
        sys.exit(message)
    steps.sort(key=lambda step: order.index(step.task_type))
    return "\n".join([_HEADER, *(_row(step, names) for step in steps)])


def _row(step: Step, names: dict[str, str]) -> str:
    do, *undos = step.handlers()
    undo = undos[0] if undos else None
    refusals = ", ".join(f"`{code}`" for code in sorted(do.refusals)) or "none"
    cells = [
        f"{names[do.task_type]}{f' / {names[undo.task_type]}' if undo else ''}",
        f"`{do.task_type}`",
        "<br>".join(commands(do)),
        f"`{undo.task_type}`" if undo else "none: a record",
        "<br>".join(commands(undo)) if undo else "",
        refusals,
    ]
    return f"| {' | '.join(cells)} |"


def with_saga_table(readme: str) -> str:
    """Return the README's text with the table as it is now between its two marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{saga_table()}\n\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_saga_table(README.read_text(encoding="utf-8")), encoding="utf-8")
