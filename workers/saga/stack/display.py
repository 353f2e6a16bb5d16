"""What `saga up` shows: each part as it becomes ready, and where everything is."""

from typing import Self

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from saga.stack.stack import Stack
from saga.stack.state import PartState, StackState, State

_TITLES = {
    "zeebe": "Engine (gRPC)",
    "rest": "Engine (REST API)",
    "management": "Health and metrics",
    "postgres": "PostgreSQL",
}
_PART_OF = dict.fromkeys(("zeebe", "rest", "management"), "engine")
_LOGINS = {"postgres": "password in the data folder"}


class Readiness:
    """Says each change of a part's state once, and on a terminal what is still awaited."""

    def __init__(self, console: Console) -> None:
        """Print to `console`; use as a context while the stack starts."""
        self._console = console
        self._status = console.status("Starting")
        self._said: dict[str, tuple[State, int]] = {}

    def __enter__(self) -> Self:
        """Show that something is going on."""
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop showing it."""
        self.stop()

    def stop(self) -> None:
        """Show no more that something is awaited; changes are still said."""
        self._status.stop()

    def __call__(self, now: StackState) -> None:
        """Take a new state."""
        for part in now.parts:
            said = self._said.get(part.name)
            if said != (part.state, part.restarts):
                self._said[part.name] = (part.state, part.restarts)
                self._say(part, was_ready=said is not None and said[0] is State.DEGRADED)
        awaited = [part.name for part in now.parts if part.state is not State.READY]
        self._status.update(f"Waiting for {', '.join(awaited)}" if awaited else "All parts are ready")

    def _say(self, part: PartState, *, was_ready: bool) -> None:
        if part.state is State.READY and (part.restarts or was_ready):
            restart = f" (restart {part.restarts})" if part.restarts else ""
            self._console.print(f"[green]✓[/] {part.name} ready again{restart}")
        elif part.state is State.READY:
            self._console.print(f"[green]✓[/] {part.name} ready after {part.ready_seconds} s")
        elif part.state is State.DEGRADED:
            self._console.print(f"[yellow]![/] {part.name} is not ready any more")
        elif part.state is State.RESTARTING:
            self._console.print(f"[yellow]↻[/] {part.name} crashed or hung, and is started again")
        elif part.state is State.DOWN:
            self._console.print(f"[dim]■ {part.name} stopped[/]")


def addresses(stack: Stack, console: Console, *, stop: str) -> None:
    """Show where everything is and how to log in; `stop` says how to end it."""
    known = {name for name in stack.addresses if _PART_OF.get(name, name) in stack.parts}
    if not stack.has_own_engine:
        known |= {"zeebe", "rest"}
    rows = [
        (_TITLES.get(name, f"Service {name}"), address, _LOGINS.get(name, ""))
        for name, address in stack.addresses.items()
        if address is not None and name in known
    ]
    rows += [
        ("Data", str(stack.layout.data), ""),
        ("Logs", str(stack.layout.logs), "saga logs PART"),
        ("Stop", stop, ""),
    ]
    if not console.is_terminal:
        for title, address, login in rows:
            console.print(f"{title}: {address}{f' ({login})' if login else ''}", markup=False, soft_wrap=True)
        return
    grid = Table.grid(padding=(0, 2))
    for title, address, login in rows:
        grid.add_row(title, Text(address, overflow="fold"), f"[dim]{login}[/]")
    console.print(Panel(grid, title="Ready", title_align="left", expand=False))
