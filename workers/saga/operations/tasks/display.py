"""What `saga tasks` shows a person."""

import json
from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text as Line

from saga.operations.tasks.answering import Answering
from saga.operations.tasks.forms import Form, Json, Kind, Question, Text
from saga.operations.tasks.template import fill, is_true, printable
from saga.operations.tasks.user_tasks import UserTask

_SHOWN = 200
"""Characters of a variable's value that are shown."""


def show_list(console: Console, tasks: Sequence[UserTask]) -> None:
    """Print the open tasks, a line for each."""
    if not tasks:
        console.print("No user task is open.")
        return
    table = Table("key", "name", "process", "since", "assignee", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in (table.columns[0], table.columns[3]):
        column.no_wrap = True
    for task in tasks:
        row = (str(task.key), task.title, task.process, _since(task), task.assignee or "")
        table.add_row(*map(printable, row))
    console.print(table)


def show_task(console: Console, task: UserTask) -> None:
    """Print what there is to know of one task itself."""
    facts = Table.grid(padding=(0, 2))
    facts.add_row("task", str(task.key))
    facts.add_row("name", printable(task.title))
    process = f"{task.process} ({task.process_id}, version {task.process_version})"
    facts.add_row("process", printable(process))
    facts.add_row("instance", str(task.process_instance_key))
    facts.add_row("since", _since(task))
    if task.due_date is not None:
        facts.add_row("due", f"{task.due_date.astimezone():%Y-%m-%d %H:%M:%S}")
    facts.add_row("assignee", printable(task.assignee or "nobody"))
    for name, candidates in (("groups", task.candidate_groups), ("users", task.candidate_users)):
        if candidates:
            facts.add_row(name, printable(", ".join(candidates)))
    if task.external_form_reference:
        facts.add_row("form", printable(task.external_form_reference))
    console.print(facts)
    console.print()


def show_form(console: Console, form: Form, answering: Answering) -> None:
    """Print the form as it stands: its texts, and its fields with what they hold."""
    for part in form.parts:
        if isinstance(part, Text):
            if not is_true(part.hide, answering.context):
                console.print(Markdown(fill(part.text, answering.context)))
        elif not answering.is_hidden(part):
            show_question(console, part, answering)
            show_value(console, answering.value(part))
        console.print()


def show_question(console: Console, question: Question, answering: Answering) -> None:
    """Print one field: what is asked, and which answers are valid."""
    label = fill(question.label, answering.context) or question.key
    console.print(Line.assemble((label, "bold"), f"  ({question.key}: {', '.join(_limits(question, answering))})"))
    if question.description:
        console.print(Line(f"  {fill(question.description, answering.context)}"))
    for option in question.options:
        console.print(Line(f"  {printable(_plain(option.value))}  {fill(option.label, answering.context)}"))


def show_value(console: Console, value: Json) -> None:
    """Print what a field holds, where it holds something."""
    if value is not None and value != "":
        console.print(Line(f"  now: {_short(value)}"))


def show_variables(console: Console, variables: Mapping[str, Json]) -> None:
    """Print all variables, a line for each."""
    if not variables:
        console.print("The task sees no variables.")
        return
    table = Table.grid(padding=(0, 2))
    for name, value in sorted(variables.items()):
        table.add_row(Line(printable(name)), Line(_short(value)))
    console.print(table)


def _limits(question: Question, answering: Answering) -> list[str]:
    limits: list[str] = ["true or false" if question.kind is Kind.CHECKBOX else question.kind]
    if question.is_choice:
        limits = ["one of"]
    if question.is_required:
        limits.append("required")
    if not answering.is_open(question):
        limits.append("cannot be changed")
    for bound, said in (
        (question.minimum, "{} or more"),
        (question.maximum, "{} or less"),
        (question.step, "a multiple of {}"),
        (question.digits, "{} decimal places at most"),
        (question.shortest, "{} characters or more"),
        (question.longest, "{} characters or less"),
    ):
        if bound is not None:
            limits.append(said.format(bound))
    return limits


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(value: Json) -> str:
    text = printable(_plain(value))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _since(task: UserTask) -> str:
    return f"{task.creation_date.astimezone():%Y-%m-%d %H:%M:%S}"
