"""An effect is undone by the step of its own process, named as that process names its sagas."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any, cast

import grpc
import httpx
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.clients.failure import Failure
from saga.kit.definition.registry import SagaRegistry, discover_sagas
from saga.kit.definition.service import Participants
from saga.operations.purge import Lives
from saga.operations.reconcile.effects import Effect
from saga.operations.reconcile.manual_tasks import ManualTasks, settling
from saga.operations.reconcile.sweep import Finding
from saga.operations.reconcile.undo_executor import UndoExecutor
from saga.operations.reconcile.verdict import Instance, Verdict

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

PROJECT = Path(__file__).parents[1] / "second_process" / "project"
FLIGHT = Effect(
    participant="travel", saga_id="trip-1", branch="flight", caller="book-flight", origin="7/8", at=datetime.now(UTC)
)
ORDER = FLIGHT.model_copy(
    update={"participant": "inventory", "saga_id": "4711", "branch": "reservation", "caller": "reserve-inventory"}
)


@pytest.fixture
def sagas(monkeypatch: pytest.MonkeyPatch) -> Iterator[SagaRegistry]:
    """The orders, and the trip that another user adds."""
    with monkeypatch.context() as patch:
        patch.syspath_prepend(PROJECT / "workers")
        trip = import_module("trip")
        yield SagaRegistry([*discover_sagas().definitions, trip.saga])


@asynccontextmanager
async def listening(asked: list[tuple[str, str, str]]) -> AsyncIterator[Participants]:
    """Participants that answer every command, and write down who was asked for what, under which key."""

    def answer(request: httpx.Request) -> httpx.Response:
        url = f"{request.url.host}{request.url.path}"
        asked.append((request.method, url, request.headers["Idempotency-Key"]))
        return httpx.Response(200, json={})

    names = ("travel", "inventory")
    clients = {
        name: httpx.AsyncClient(base_url=f"http://{name}", transport=httpx.MockTransport(answer)) for name in names
    }
    yield Participants(clients, lambda task_type, **_: task_type)
    for client in clients.values():
        await client.aclose()


async def test_each_effect_is_undone_by_its_own_process(sagas: SagaRegistry) -> None:
    asked: list[tuple[str, str, str]] = []
    async with listening(asked) as participants:
        undoing = UndoExecutor(sagas, participants, SystemRandom())
        assert undoing.has_undo(FLIGHT)
        assert [await undoing.undo(effect) for effect in (FLIGHT, ORDER)] == [None, None]
    assert asked == [
        ("DELETE", "travel/flights/trip-1", '"trip-1/cancel-flight"'),
        ("DELETE", "inventory/reservations/4711", '"4711/release-inventory"'),
    ]


class Gateway:
    """A broker that knows every process, and remembers what was published."""

    def __init__(self) -> None:
        self.published: list[str] = []

    async def CreateProcessInstance(self, *_: object, **__: object) -> None:  # noqa: N802 - as the stub has it
        raise grpc.aio.AioRpcError(grpc.StatusCode.INVALID_ARGUMENT, grpc.aio.Metadata(), grpc.aio.Metadata())

    async def PublishMessage(self, request: pb.PublishMessageRequest, **_: Any) -> None:  # noqa: ANN401, N802 - as the stub has it
        self.published.append(request.variables)


@pytest.mark.parametrize(
    ("effect", "key", "named"), [(FLIGHT, "tripId", "Trip trip-1"), (ORDER, "orderId", "Order 4711")]
)
async def test_a_person_is_asked_by_the_name_that_the_process_gives(
    sagas: SagaRegistry, effect: Effect, key: str, named: str
) -> None:
    gateway = Gateway()
    asking = ManualTasks(cast("GatewayAsyncStub", gateway), sagas)
    await asking.ask(Finding(effect, Instance.UNKNOWN, Verdict.ASK))
    [entry] = gateway.published
    assert {key: effect.saga_id, "sagaId": effect.saga_id, "saga": named}.items() <= json.loads(entry).items()
    assert ("orderId" in entry) == (effect is ORDER)


async def test_a_decision_names_its_saga_by_the_key_of_its_process_or_by_saga_id(sagas: SagaRegistry) -> None:
    async with listening([]) as participants:
        handler = settling({}, sagas, UndoExecutor(sagas, participants, SystemRandom()))
    assert {"sagaId", "orderId", "tripId", "participant", "branch", "decision"} <= set(handler.fetch)
    rest = '"participant": "travel", "branch": "flight", "decision": "keep"'
    for name in ("sagaId", "tripId", "orderId"):
        assert handler.parse(f'{{"{name}": "trip-1", {rest}}}').saga_id == "trip-1"
    with pytest.raises(Exception, match="names no saga; set sagaId"):
        handler.parse(f"{{{rest}}}")


class Shown:
    """A cluster with two active instances."""

    async def has_active(self, name: str, text: str) -> bool:
        return (name, text) in {("tripId", "trip-1"), ("orderId", "4711")}


async def test_a_saga_of_any_process_that_runs_is_live_to_purge(sagas: SagaRegistry) -> None:
    lives = Lives(sagas, Shown())
    assert [await lives.is_live(each) for each in ("trip-1", "4711", "trip-2")] == [True, True, False]


async def test_without_a_process_nothing_counts_as_ended() -> None:
    with pytest.raises(Failure, match=r"No package in workers/ defines a process"):
        await Lives(SagaRegistry([]), Shown()).is_live("4711")
