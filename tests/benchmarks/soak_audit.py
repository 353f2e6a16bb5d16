"""What must hold of every order of the soak, checked in the participants' tables and the engine's records.

The numbers in the texts are those of the invariants in the project's design.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from tests.benchmarks.orders import ledger
from tests.benchmarks.orders.ledger import Entry
from tests.benchmarks.orders.records import Records
from tests.benchmarks.soak_orders import KINDS, Order, Stream
from tests.world import NOTHING, World

_DUPLICATE = "EndEvent_DuplicateOrderIgnored"
_RECORD_BYTES = 370
"""What a record takes, its rows of the search tables with it: measured on 150 orders of each kind alone."""
_RETRIED = 0.2
"""The share that retries may add in a run with outages."""
_WRITE_AHEAD_MB = 4.2
"""SQLite's write-ahead log, which is there from the first checkpoint on and stays as long as this."""
_LISTED = 50
"""Violations that are written down one by one; the rest is counted."""


async def violations(stream: Stream, found: dict[str, Entry], world: World, records: Records) -> list[str]:
    """Say everything that does not hold, a line each; nothing when all is well."""
    wrong = [f"{order.order_id}: {what}" for order in stream.orders for what in broken(order, found[order.order_id])]
    try:
        await world.check_stock()
    except AssertionError as error:
        wrong.append(f"the stock does not fit the reservations (1): {error}")
    wrong += await _of_engine(stream, records)
    return wrong if len(wrong) <= _LISTED else [*wrong[:_LISTED], f"and {len(wrong) - _LISTED} more"]


def outcome(entry: Entry) -> str:
    """Say how an order ended, as its participants' tables have it."""
    effects = entry.effects
    if effects == NOTHING:
        return "rejected"
    if effects.status == "cancelled":
        return "cancelled"
    return "fulfilled" if effects.shipped else "open"


def grown(orders: Sequence[Order], megabytes: float) -> list[str]:
    """Say whether the engine's data grew by more than is computed for these orders; all of them are kept."""
    computed = sum(order.kind.records for order in orders) * _RECORD_BYTES / 1e6
    if megabytes <= computed * (1 + _RETRIED) + _WRITE_AHEAD_MB:
        return []
    return [f"the engine's data grew by {megabytes:.0f} MB; {computed:.0f} are computed for {len(orders)} orders"]


async def duplicates(records: Records) -> int:
    """Return how many instances found their order in another one's hands."""
    return await records.passed(_DUPLICATE)


def broken(order: Order, entry: Entry) -> list[str]:
    """Say which of the invariants one order breaks."""
    if not order.accepted:
        return ["the engine never took it, however often it was asked"]
    effects, kind, ended = entry.effects, order.kind, outcome(entry)
    kept = (effects.total or 0) if ended == "fulfilled" else 0
    twice = [deed for deed, times in Counter(entry.deeds).items() if times > 1]
    late = list(_done_after_undone(entry.deeds))
    checks = (
        (ended == kind.outcome, f"ended {ended}, not {kind.outcome} (6)"),
        (effects.reserved - effects.released == effects.shipped, f"pieces neither shipped nor released (1): {effects}"),
        (effects.captured - effects.refunded == kept, f"the money does not fit (2): {effects}"),
        (not twice, f"done more than once (3): {twice}"),
        (not late, f"done after it was undone (4): {late}"),
        (not (effects.shipped and effects.refunded), f"shipped and refunded (5): {effects}"),
        (effects.claims == (1 if kind.deeds else 0), f"{effects.claims} instances hold it (7)"),
        (entry.deeds == kind.deeds, f"the participants did {entry.deeds}, not {kind.deeds} (10)"),
        (effects.shipped in {0, kind.pieces}, f"{effects.shipped} pieces were shipped, not {kind.pieces}"),
    )
    return [text for holds, text in checks if not holds]


def _done_after_undone(deeds: Sequence[str]) -> Iterator[str]:
    for index, deed in enumerate(deeds):
        branch, _, how = deed.rpartition(".")
        if how == "done" and f"{branch}.undone" in deeds[:index]:
            yield branch


async def _of_engine(stream: Stream, records: Records) -> list[str]:
    """Say where the engine has more or fewer instances than there are orders, or some that have not ended."""
    wrong = []
    began, ended = await records.instances()
    if began != ended:
        wrong.append(f"{began - ended} instances have not ended (6)")
    incidents = await records.count("incident", "CREATED") - await records.count("incident", "RESOLVED")
    if incidents:
        wrong.append(f"{incidents} incidents are open")
    # A creation without a reply may have taken effect; its repeat is then a second instance of the same order.
    more = began - sum(order.accepted for order in stream.orders)
    if not 0 <= more <= stream.ambiguous:
        wrong.append(f"{more} more instances than accepted orders, after {stream.ambiguous} creations without a reply")
    for end in dict.fromkeys(kind.end for kind in KINDS):
        kinds = [order.kind for order in stream.orders if order.accepted and order.kind.end == end]
        # An order that is rejected is held by nobody: its second instance is rejected as well.
        most = len(kinds) + (more if any(not kind.deeds for kind in kinds) else 0)
        passed = await records.passed(end)
        if not len(kinds) <= passed <= most:
            wrong.append(f"{passed} instances ended at {end}, of {len(kinds)} orders (7)")
    return wrong


async def entries(stream: Stream, world: World) -> dict[str, Entry]:
    """Return what the participants hold of every order of the stream."""
    return await ledger.entries(world, [order.order_id for order in stream.orders])
