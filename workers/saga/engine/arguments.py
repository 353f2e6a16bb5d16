"""What the command lines of `saga engine` and of its subcommands have in common."""

import argparse
from collections.abc import Callable, Iterable


class _HelpFormatter(argparse.HelpFormatter):
    """Begins as the help of the other commands does."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        """Write the usage."""
        super().add_usage(usage, actions, groups, prefix or "Usage: ")


def make_parser(name: str, description: str, epilog: str | None = None) -> argparse.ArgumentParser:
    """Return a parser without arguments; `name` is the command's, as typed."""
    return argparse.ArgumentParser(
        name, description=description, epilog=epilog, allow_abbrev=False, formatter_class=_HelpFormatter
    )


def number(most: int, what: str) -> Callable[[str], int]:
    """Return a type of argument: a whole number from 0 to `most`; `what` it is not, a refusal says."""

    def convert(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and int(text) <= most):
            message = f"{text} is not {what}"
            raise argparse.ArgumentTypeError(message)
        return int(text)

    return convert
