"""The console of a command that stays in the foreground."""

import sys

from rich.console import Console

from saga.cli.output import discard


class SteadyConsole(Console):
    """A console for a stack in the foreground, which goes on when nobody reads its output any more."""

    def on_broken_pipe(self) -> None:
        """Print nothing more, in place of ending the process and the stack with it."""
        self.quiet = True
        discard(sys.stdout.fileno())
