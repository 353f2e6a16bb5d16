"""The floor plan: which room may import from which, and no way leads back up."""

import pytest

from tests.architecture.imports import circle, module_graph, naming, room_graph
from tests.architecture.plan import PROCESS_WORDS, trespasses

MODULES = module_graph()


def test_each_room_imports_from_the_rooms_below_it_alone() -> None:
    assert trespasses(MODULES) == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("saga.common.tokens", "saga.kit.settings"),
        ("saga.feel.parse", "saga.common.tokens"),
        ("saga.engine.core.engine", "saga.kit.definition.job"),
        ("saga.engine.core.engine", "saga.engine.writer"),
        ("saga.kit.gateway.connection", "saga.kit.definition.job"),
        ("saga.kit.definition.step", "saga.kit.execution.worker"),
        ("saga.kit.subscription.window", "saga.kit.execution.worker"),
        ("saga.kit.execution.worker", "saga.kit.observability.log"),
        ("saga.kit.execution.worker", "saga.clients.rest"),
        ("saga.clients.rest", "saga.operations.tasks.forms"),
        ("saga.clients.rest", "saga.stack.layout"),
        ("saga.operations.tasks.forms", "saga.stack.layout"),
        ("saga.operations.tasks.forms", "order_fulfillment.model"),
        ("saga.stack.stack", "saga.cli.stack"),
        ("saga.stack.stack", "saga.operations.tasks.forms"),
        ("saga.cli.run", "order_fulfillment.model"),
        ("saga.cli.run", "services.participant.server"),
        ("order_fulfillment.model", "services.participant.models"),
        ("order_fulfillment.model", "saga.stack.layout"),
        ("trip.model", "order_fulfillment.model"),
        ("services.participant.server", "services.orders.app"),
        ("services.participant.server", "saga.clients.rest"),
        ("services.orders.app", "services.payment.app"),
        ("services.orders.app", "order_fulfillment.model"),
    ],
)
def test_a_way_up_or_across_is_found(importer: str, imported: str) -> None:
    assert len(trespasses({importer: frozenset({imported})})) == 1


def test_no_module_of_the_library_names_the_process_of_orders() -> None:
    assert naming(PROCESS_WORDS) == []


def test_a_name_in_the_library_is_found() -> None:
    assert "saga.kit.definition.saga" in naming(["SagaDefinition"])


def test_no_room_is_imported_by_what_it_imports() -> None:
    assert circle(room_graph(MODULES)) == []


def test_no_module_is_imported_by_what_it_imports() -> None:
    assert circle(MODULES) == []


def test_a_circle_is_found() -> None:
    assert set(circle({"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset({"a"})})) == {"a", "b", "c"}
