"""Cases of one claim that wait for most of their time, run at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable


async def at_once(case: Callable[[str], Awaitable[None]], names: Iterable[str]) -> None:
    """Run a case for each name; each goes to its end, and what fails says its name.

    Raises:
        BaseExceptionGroup: Some have failed.
    """
    given = list(names)
    outcomes = await asyncio.gather(*map(case, given), return_exceptions=True)
    failures = []
    for name, outcome in zip(given, outcomes, strict=True):
        if outcome is not None:
            outcome.add_note(f"This was {name}.")
            failures.append(outcome)
    if failures:
        message = "not so in each case"
        raise BaseExceptionGroup(message, failures)
