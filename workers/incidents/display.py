"""What `saga incidents` shows a person: however many incidents there are, it fits on a page or two."""

from collections import Counter
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from workers.incidents.explaining import Happening, Task
from workers.incidents.finding import Incident
from workers.incidents.kinds import NEXT
from workers.incidents.retrying import Outcome, Verdict

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
        """Print it; `arriving` more are known to Operate, and not yet taken in."""
        total = self.counts.total()
        console.print(f"Open: {total}" if total else "No such incident is open.")
        if arriving:
            console.print(f"Operate is taking in {arriving} more, of any kind: look again in a moment.")
        if not total:
            return
        where = _table("count", "element", "process", "type")
        for names, count in self.counts.most_common():
            where.add_row(str(count), *names)
        console.print(where)
        oldest = _table("since, key", "order", "element, type, message")
        for incident in self.oldest:
            what = f"{incident.element}, {incident.type}\n{_first_line(incident.message)}"
            oldest.add_row(f"{_since(incident)}\n{incident.key}", _order(incident), what)
        console.print(oldest)
        if total > _SHOWN:
            console.print(f"And {total - _SHOWN} more: narrow them down by --element and so on; --json lists all.")


def show_incident(console: Console, incident: Incident, page: str, task: Task | None) -> None:
    """Print what there is to know of one incident itself."""
    facts = Table.grid(padding=(0, 2))
    facts.add_row("incident", f"{incident.key}, since {_since(incident)}")
    facts.add_row("order", _order(incident))
    facts.add_row("instance", f"{incident.process_instance_key}, {page}")
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


def show_timeline(console: Console, order: str, happenings: list[Happening]) -> None:
    """Print what the participants did for an order."""
    if not happenings:
        console.print(f"No participant has done anything for order {order} yet.")
        return
    done = Table.grid(padding=(0, 2))
    for happening in happenings:
        done.add_row(f"{happening.time.astimezone():%Y-%m-%d %H:%M:%S}", *happening.what)
    console.print(f"What the participants did for order {order} so far:")
    console.print(done)


def show_outcomes(console: Console, outcomes: list[Outcome]) -> None:
    """Print what became of each incident that was retried, and why those that are not gone are not."""
    counts = Counter((outcome.incident.element, outcome.verdict) for outcome in outcomes)
    table = _table("element", *Verdict)
    for element in dict.fromkeys(outcome.incident.element for outcome in outcomes):
        table.add_row(element, *(str(counts[element, verdict]) for verdict in Verdict))
    console.print(table)
    left = [outcome for outcome in outcomes if outcome.verdict is not Verdict.RESOLVED]
    for outcome in left[:_SHOWN]:
        incident = outcome.incident
        console.print(
            f"Order {_order(incident)}, {incident.element} ({incident.key}) {outcome.verdict}: {_first_line(outcome.why)}"
        )
    if len(left) > _SHOWN:
        console.print(f"And {len(left) - _SHOWN} more; `saga incidents` shows what is open.")


def _table(*columns: str) -> Table:
    return Table(*columns, box=SIMPLE_HEAD, pad_edge=False)


def _order(incident: Incident) -> str:
    return incident.order or "unknown"


def _since(incident: Incident) -> str:
    return f"{incident.since.astimezone():%Y-%m-%d %H:%M:%S}"


def _first_line(message: str) -> str:
    line = message.partition("\n")[0]
    return line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"
