"""What each room may import from: docs/adr has the reasons."""

from collections.abc import Mapping

from tests.architecture.imports import Graph, room_of

_KIT = ("saga.kit", "saga.kit.settings", "saga.kit.gateway", "saga.kit.definition")
_LIBRARY = (*_KIT, "saga.kit.subscription", "saga.kit.execution", "saga.kit.observability")
MAY_IMPORT: Mapping[str, tuple[str, ...]] = {
    "saga": (),
    "saga.common": (),
    "saga.feel": (),
    "saga.engine": ("saga.feel",),
    "saga.kit": ("saga.kit.definition",),
    "saga.kit.settings": (),
    "saga.kit.gateway": ("saga.common", "saga.kit.settings"),
    "saga.kit.definition": ("saga.common", "saga.kit.gateway"),
    "saga.kit.subscription": ("saga.common", "saga.kit.gateway"),
    "saga.kit.execution": ("saga.common", *_KIT, "saga.kit.subscription"),
    "saga.kit.observability": ("saga.common", *_KIT, "saga.kit.execution"),
    "saga.clients": ("saga.common", *_KIT),
    "saga.operations": (),
    "saga.operations.incidents": ("saga.common", *_LIBRARY, "saga.clients"),
    "saga.operations.tasks": ("saga.common", *_LIBRARY, "saga.clients", "saga.feel"),
    "saga.operations.reconcile": ("saga.common", *_LIBRARY, "saga.clients"),
    "saga.operations.purge": ("saga.common", *_LIBRARY, "saga.clients", "saga.operations.reconcile"),
    "saga.operations.compensate": (
        *("saga.common", *_LIBRARY, "saga.clients"),
        *("saga.operations.incidents", "saga.operations.reconcile"),
    ),
    "saga.stack": ("saga.common", *_KIT, "saga.clients"),
    "services.participant": ("saga.common",),
    "services": (),
}
"""Of each room of the library."""
COMMAND = "saga.cli"
"""May import from every room of the library."""
PROCESS = ("saga.common", *_KIT, "saga.clients")
"""What a process may import from, beside itself."""
SERVICE = ("saga.common", "services.participant")
"""The same of a service."""
PROCESS_WORDS = ("order-fulfillment", "order_fulfillment", "orderId", "OrderId", "OrderVariables")
"""What only the process of orders and its services may say."""
CORE = "saga.engine.core"
"""Imports from no other part of the engine."""


def trespasses(graph: Graph) -> list[str]:
    """Return each import that the plan does not allow, as `importer -> imported`."""
    return sorted(
        f"{importer} -> {imported}"
        for importer, found in graph.items()
        for imported in found
        if not _may(importer, imported)
    )


def _may(importer: str, imported: str) -> bool:
    room, other = room_of(importer), room_of(imported)
    if room == other:
        return not (f"{importer}.".startswith(f"{CORE}.") and not f"{imported}.".startswith(f"{CORE}."))
    if room == COMMAND:
        return other.startswith("saga.")
    if room in MAY_IMPORT:
        return other in MAY_IMPORT[room]
    return other in (SERVICE if room.startswith("services.") else PROCESS)
