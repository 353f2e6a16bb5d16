"""A new engine log beside a database with open sagas: the engine that ran them is gone, and nobody would end them."""

import asyncio

from saga.stack.errors import StackError
from saga.stack.layout import Layout

_LEDGERS = (
    "SELECT table_schema FROM information_schema.columns "
    "WHERE table_name = 'barrier' AND column_name = 'settlement' ORDER BY table_schema"
)
_OPEN = "SELECT count(*) FROM {schema}.barrier WHERE op = 'do' AND (settlement IS NULL OR settlement = 'asked')"


class OpenSagasError(StackError):
    """The participants hold effects of sagas that no engine knows any more."""


def is_new(layout: Layout) -> bool:
    """Tell whether the engine has no log yet."""
    return not (layout.engine / "engine.sqlite").exists()


def accept_new(layout: Layout) -> None:
    """Let the next start make a new log, whatever the database holds."""
    layout.data.mkdir(parents=True, exist_ok=True)
    layout.accepts_new_engine.touch()


def require_settled(layout: Layout, database_url: str) -> None:
    """Check that no participant has an effect that is not settled, unless a new log was accepted.

    Raises:
        OpenSagasError: There are such effects; the message says where, and how to go on.
        StackError: The database does not answer.
    """
    if layout.accepts_new_engine.exists():
        layout.accepts_new_engine.unlink()
        return
    import asyncpg  # noqa: PLC0415 - only a new log needs it, and every command about the stack would pay for it

    try:
        found = asyncio.run(_open_effects(database_url))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        message = f"The database does not tell whether sagas are open, and the engine's log is new: {error}."
        raise StackError(message) from error
    if found:
        where = ", ".join(f"{participant}: {count}" for participant, count in found.items())
        message = (
            f"The engine's log in {layout.engine} is new, but the database has effects of sagas that are not settled "
            f"({where}): the engine that ran them is gone. Put its log back and start again. If it is lost, start with "
            "`saga up --new-engine` and settle them with `saga reconcile --engine-lost-at` (docs/reconciler.md). To "
            "forget everything, run `saga down --delete-data`."
        )
        raise OpenSagasError(message)


async def _open_effects(database_url: str) -> dict[str, int]:
    """Return how many effects are open, by participant; none where there are none."""
    import asyncpg  # noqa: PLC0415 - see above

    connection = await asyncpg.connect(database_url)
    try:
        schemas = [row["table_schema"] for row in await connection.fetch(_LEDGERS)]
        counts = {each: await connection.fetchval(_OPEN.format(schema=f'"{each}"')) for each in schemas}
    finally:
        await connection.close()
    return {participant: count for participant, count in counts.items() if count}
