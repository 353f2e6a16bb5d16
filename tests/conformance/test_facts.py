"""What was measured on a real 8.6.0 about compensation and messages, beyond the numbered cases."""

import pytest
from grpc import StatusCode

from tests.conformance import saga
from tests.conformance.diagrams import draw
from tests.conformance.zeebe import Zeebe, refused
from tests.engine.drawing import (
    boundary,
    compensate,
    end,
    error_boundary,
    handler,
    loop,
    start,
    task,
    timer,
    undone_by,
)

pytestmark = pytest.mark.case("facts", "m")


def fulfillment(zeebe: Zeebe) -> bytes:
    """Draw reserve, pay and ship, each with its undo, and their undoing one after the other."""
    labels = ("reserve", "pay", "ship")
    return draw(
        zeebe.name("p"),
        "start > reserve > pay > ship > end",
        start=start(),
        **saga.activities(zeebe.suffix, *labels),
        end=end(),
        chain=saga.undo_chain(*reversed(labels)),
    )


async def finish(zeebe: Zeebe, *labels: str) -> None:
    """Complete a job of each type, one after the other."""
    for label in labels:
        await zeebe.complete_next(zeebe.name(label))


async def test_where_shipping_is_refused_the_payment_is_undone_and_then_the_reservation(zeebe: Zeebe) -> None:
    await zeebe.deploy(fulfillment(zeebe))
    result = zeebe.result(zeebe.name("p"))
    await finish(zeebe, "reserve", "pay")
    await zeebe.throw(await zeebe.job(zeebe.name("ship")), "ADDRESS_UNSERVICEABLE")
    refund = await zeebe.job(zeebe.name("undo-pay"))
    assert await zeebe.jobs(zeebe.name("undo-reserve")) == []
    await zeebe.complete(refund)
    await finish(zeebe, "undo-reserve")
    assert await result == {}
    assert await zeebe.jobs(zeebe.name("undo-ship")) == []


async def test_where_the_reservation_is_refused_nothing_is_undone(zeebe: Zeebe) -> None:
    await zeebe.deploy(fulfillment(zeebe))
    result = zeebe.result(zeebe.name("p"))
    await zeebe.throw(await zeebe.job(zeebe.name("reserve")), "OUT_OF_STOCK")
    assert await result == {}
    for label in ("undo-reserve", "undo-pay", "undo-ship"):
        assert await zeebe.jobs(zeebe.name(label)) == []


async def test_a_broadcast_activates_the_handlers_in_the_order_of_completion(zeebe: Zeebe) -> None:
    await zeebe.deploy(saga.broadcast(zeebe.name("p"), zeebe.suffix))
    await zeebe.create(zeebe.name("p"))
    await finish(zeebe, "a", "b")
    first, second = await zeebe.job(zeebe.name("undo-a")), await zeebe.job(zeebe.name("undo-b"))
    assert first.key < second.key


async def test_an_error_of_one_handler_ends_its_siblings(zeebe: Zeebe) -> None:
    drawn = draw(
        zeebe.name("p"),
        "start > a > b > all",
        start=start(),
        **saga.activities(zeebe.suffix, "a", "b"),
        all=compensate(kind="endEvent"),
        chain=saga.undo_chain(),
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(zeebe.name("p"))
    await finish(zeebe, "a", "b")
    first, second = await zeebe.job(zeebe.name("undo-a")), await zeebe.job(zeebe.name("undo-b"))
    await zeebe.throw(first, "E")
    assert await result == {}
    await refused(zeebe.complete(second), StatusCode.NOT_FOUND)


async def test_a_multi_instance_activity_is_undone_once(zeebe: Zeebe) -> None:
    drawn = draw(
        zeebe.name("p"),
        "start > a > all",
        start=start(),
        a=loop(task(zeebe.name("a")), "=[1, 2, 3]"),
        undo=handler(zeebe.name("undo-a")),
        **undone_by("a", "undo"),
        all=compensate(kind="endEvent"),
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(zeebe.name("p"))
    for job in await zeebe.some_jobs(zeebe.name("a"), 3):
        await zeebe.complete(job)
    await finish(zeebe, "undo-a")
    assert await result == {}


@pytest.mark.parametrize(
    "attached", [error_boundary("undo_a"), boundary("undo_a", timer("duration", "PT1S"))], ids=["error", "timer"]
)
async def test_a_handler_with_a_boundary_event_is_refused(zeebe: Zeebe, attached: str) -> None:
    drawn = draw(
        zeebe.name("p"),
        "start > a > end",
        start=start(),
        **saga.activities(zeebe.suffix, "a"),
        attached=attached,
        end=end(),
    )
    await refused(zeebe.deploy(drawn), StatusCode.INVALID_ARGUMENT, "undo_a")


async def test_a_modification_can_activate_the_compensation_end_event(zeebe: Zeebe) -> None:
    drawn = draw(
        zeebe.name("p"),
        "start > a > b > end; never > all",
        start=start(),
        **saga.activities(zeebe.suffix, "a"),
        b=task(zeebe.name("b")),
        end=end(),
        never=task(zeebe.name("never")),
        all=compensate(kind="endEvent"),
    )
    await zeebe.deploy(drawn)
    result = zeebe.result(zeebe.name("p"))
    await finish(zeebe, "a")
    job = await zeebe.job(zeebe.name("b"))
    await zeebe.modify(job.processInstanceKey, "all", terminate=(job.elementInstanceKey,))
    await finish(zeebe, "undo-a")
    assert await result == {}


async def test_creating_an_instance_twice_makes_two(zeebe: Zeebe) -> None:
    await zeebe.deploy(saga.broadcast(zeebe.name("p"), zeebe.suffix))
    created = {await zeebe.create(zeebe.name("p"), orderId="1") for _ in range(2)}
    assert {job.processInstanceKey for job in await zeebe.some_jobs(zeebe.name("a"), 2)} == created
    assert len(created) == 2


async def test_an_error_of_a_handler_that_nobody_catches_holds_the_throw_until_it_is_resolved(zeebe: Zeebe) -> None:
    await zeebe.deploy(saga.broadcast(zeebe.name("p"), zeebe.suffix))
    instance = await zeebe.create(zeebe.name("p"))
    await finish(zeebe, "a", "b", "undo-a")
    undo = await zeebe.job(zeebe.name("undo-b"))
    await zeebe.throw(undo, "NOBODYS")
    incident = await zeebe.incident(instance)
    assert (incident["errorType"], incident["elementId"]) == ("UNHANDLED_ERROR_EVENT", "undo_b")
    await zeebe.resolve(incident)
    await finish(zeebe, "undo-b")
    await zeebe.ended(instance)
    assert await zeebe.jobs(zeebe.name("undo-a")) == []
