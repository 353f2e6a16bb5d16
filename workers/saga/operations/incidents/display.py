"""What `saga incidents` shows a person: however many incidents there are, it fits on a page or two."""

from collections import Counter
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from saga.clients.diagram import Task
from saga.operations.incidents.incident_types import NEXT
from saga.operations.incidents.retry import Outcome, Verdict
from saga.operations.incidents.search import Incident
from saga.operations.incidents.timeline import Happening

_SHOWN = 20
"""Incidents that are shown one by one; the rest are counted."""
_LINE = 200
"""Characters of a message's first line that a list shows."""


@dataclass
class Overview:
    """How many incidents stand where, and the oldest of them."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    oldest: list[Incident] = field(default_factory=list)

    def add(self, incident: Incident) -> None:
        """Count the next one; they come with the oldest first."""
        self.counts[incident.element, incident.process, incident.type] += 1
        if len(self.oldest) < _SHOWN:
            self.oldest.append(incident)

    def show(self, console: Console, arriving: int) -> None:
        """Print it; `arriving` more are known to the cluster, and not yet taken in."""
        total = self.counts.total()
        console.print(f"Open: {total}" if total else "No such incident is open.")
        if arriving:
            console.print(f"The cluster is taking in {arriving} more, of any kind: look again in a moment.")
        if not total:
            return
        where = _table("element", "process", "type", "open")
        for names, count in self.counts.most_common():
            where.add_row(*names, str(count))
        console.print(where)
        console.print()
        _list(console, self.oldest)
        if total > _SHOWN:
            console.print(f"And {total - _SHOWN} more: narrow them down by --element and so on; --json lists all.")


def show_incident(console: Console, incident: Incident, page: str | None, task: Task | None) -> None:
    """Print what there is to know of one incident itself."""
    facts = Table.grid(padding=(0, 2))
    facts.add_row("incident", f"{incident.key}, since {_since(incident)}")
    facts.add_row(incident.noun, _saga(incident))
    facts.add_row("instance", str(incident.process_instance_key) + (f", {page}" if page else ""))
    facts.add_row("process", f"{incident.process} ({incident.process_id}, version {incident.process_version})")
    facts.add_row("element", f"{incident.element} ({incident.element_id})")
    if task is not None:
        left = "; 0 are left" if incident.type == "JOB_NO_RETRIES" else ""
        facts.add_row("task type", f"{task.type}, {task.retries} tries{left}")
    facts.add_row("type", incident.type)
    facts.add_row("message", incident.message)
    facts.add_row("what to do", NEXT.get(incident.type, NEXT["UNSPECIFIED"]))
    console.print(facts)
    console.print()


def show_timeline(console: Console, named: str, happenings: list[Happening]) -> None:
    """Print what the participants did for a saga, as `order 4711`."""
    if not happenings:
        console.print(f"No participant has told of anything that it did for {named}.")
        return
    done = Table.grid(padding=(0, 2))
    for happening in happenings:
        done.add_row(f"{happening.time.astimezone():%Y-%m-%d %H:%M:%S}", *happening.what)
    console.print(f"What the participants did for {named} so far:")
    console.print(done)


def show_outcomes(console: Console, outcomes: list[Outcome]) -> None:
    """Print what became of each incident that was retried, and why those that are not gone are not."""
    counts = Counter((outcome.incident.element, outcome.verdict) for outcome in outcomes)
    table = _table("element", *Verdict)
    for element in dict.fromkeys(outcome.incident.element for outcome in outcomes):
        table.add_row(element, *(str(counts[element, verdict]) for verdict in Verdict))
    console.print(table)
    order = list(Verdict)
    left = sorted(
        (outcome for outcome in outcomes if outcome.verdict is not Verdict.RESOLVED),
        key=lambda outcome: order.index(outcome.verdict),
    )
    for outcome in left[:_SHOWN]:
        incident = outcome.incident
        what = f"{incident.element} of {incident.noun} {_saga(incident)} {outcome.verdict}: {_first_line(outcome.why)}"
        console.print(what, soft_wrap=True)
    if len(left) > _SHOWN:
        console.print(f"And {len(left) - _SHOWN} more; `saga incidents` shows what is open.")


def _list(console: Console, incidents: list[Incident]) -> None:
    """Print two lines for each: what it is about, and the first line of its message."""
    facts = [(_since(each), str(each.key), _saga(each), each.element, each.process, each.type) for each in incidents]
    widths = [max(map(len, column)) for column in zip(*facts, strict=True)]
    for incident, row in zip(incidents, facts, strict=True):
        console.print("  ".join(map(str.ljust, row, widths)).rstrip(), soft_wrap=True)
        # A terminal has it on one line, a file has all of it.
        message = f"    {_first_line(incident.message)}"
        console.print(message, soft_wrap=not console.is_terminal, no_wrap=True, overflow="ellipsis")


def _table(*columns: str) -> Table:
    table = Table(*columns, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.columns[-1].justify = "right"
    return table


def _saga(incident: Incident) -> str:
    return incident.order or "unknown"


def _since(incident: Incident) -> str:
    return f"{incident.since.astimezone():%Y-%m-%d %H:%M:%S}"


def _first_line(message: str) -> str:
    line = message.partition("\n")[0]
    return line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"
