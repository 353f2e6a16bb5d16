"""What the runtime has doubts about is reconciled at once, and not at the next sweep."""

from collections.abc import Callable
from typing import Any

from tests.reconcile.lab import Lab
from tests.reconcile.test_faults import DOS, cases, operator_cancels, orphans
from tests.world import eventually

NewOrder = Callable[..., dict[str, Any]]
AN_HOUR = 3600.0


async def test_an_answer_in_doubt_reaches_the_reconciler_at_once(lab: Lab, new_order: NewOrder) -> None:
    async with lab.reconciler(interval=AN_HOUR):
        with lab.workers() as worker:
            async with cases(lab, new_order, DOS) as made:
                await operator_cancels(lab, worker, made)
                for case in made:
                    case.release()
                await eventually(lambda: orphans(lab, made), lambda left: not left, 30)
        for case in made:
            assert (await lab.world.effects(case.order_id)).status in {None, "cancelled"}
