"""`saga cancel` and `saga compensate`: undo what a saga has done, in order, and end its process instance."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from saga.cli.options import PortOffset
from saga.cli.sagas import chosen
from saga.clients.addresses import Addresses
from saga.clients.failure import Failure, bad_input
from saga.clients.instances import ElementInstance
from saga.clients.sagas import saga_of
from saga.kit.definition.registry import SagaRegistry
from saga.kit.gateway.connection import stub
from saga.operations.compensate.compensator import Compensator
from saga.operations.compensate.following import follow
from saga.operations.compensate.view import NothingToUndo, known
from saga.operations.incidents.timeline import happened
from saga.operations.reconcile.parts import Parts, parts_for_a_command
from saga.stack.tokens import find_tokens

_REASON = 500
"""Characters of a reason."""
_UNDONE = ".undone"
"""How the type of an undo's event ends."""

Reason = Annotated[str, typer.Option(help="Why; it stays in the instance's variable `refusal`.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]

app = typer.Typer()


@app.command("cancel")
def cancel_command(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")],
    *,
    reason: Reason,
    process: Annotated[
        str | None, typer.Option(help="The id of its process, where orders of several have the same id.")
    ] = None,
    yes: Yes = False,
    port_offset: PortOffset = 0,
) -> None:
    """Undo an order, the last step first, and end its process instance.

    Exits with 1 where it has not ended so: a fulfilled order, for one, cannot be cancelled.
    """
    sagas = chosen(process)
    possible = [each for each in sagas.definitions if each.saga_id(order) is not None]
    if not possible:
        message = f"No {sagas.nouns} can be called so: its id is made of letters, digits, '.', '_' and '-', 64 at most."
        raise bad_input(message)
    _check(reason)
    _confirm(f"Undo all that was done for {sagas.nouns} {order}, and end it?", yes=yes)
    find_tokens(port_offset)
    asyncio.run(_cancel(Addresses.of(port_offset), SagaRegistry(possible), order, reason))


@app.command("compensate")
def compensate_command(
    instance: Annotated[int, typer.Argument(metavar="INSTANCE", help="The process instance's key.")],
    *,
    reason: Reason = "An operator had it compensated.",
    yes: Yes = False,
    port_offset: PortOffset = 0,
) -> None:
    """Bring an instance onto its compensation path, whatever it is stuck at, and follow it to its end.

    Exits with 1 where it has not ended so.
    """
    _check(reason)
    _confirm(f"Undo all that instance {instance} has done, and end it?", yes=yes)
    find_tokens(port_offset)
    asyncio.run(_compensate(Addresses.of(port_offset), instance, reason))


def _check(reason: str) -> None:
    if not (reason.strip() and reason.isprintable() and len(reason) <= _REASON):
        message = f"--reason is one line of 1 to {_REASON} characters."
        raise bad_input(message)


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        message = "This has to be confirmed, and standard input is no terminal: say --yes. Nothing was changed."
        raise bad_input(message)
    typer.confirm(question, abort=True)


async def _cancel(addresses: Addresses, sagas: SagaRegistry, saga_id: str, reason: str) -> None:
    async with parts_for_a_command(addresses) as own:
        operator = _Operator(own)
        found = {
            each: await own.instances.with_variable(each.key, saga_id, process=each.process)
            for each in sagas.definitions
        }
        having = [each for each in sagas.definitions if found[each]]
        if not having:
            message = f"The cluster knows no {sagas.nouns} {saga_id}; it may show one about a second after its start."
            raise bad_input(message)
        if len(having) > 1:
            processes = ", ".join(each.process for each in having)
            message = f"Several processes have {saga_id}: name one by --process ({processes}). Nothing was changed."
            raise bad_input(message)
        [saga] = having
        instances = found[saga]
        taken: dict[int, list[ElementInstance]] = {}
        # The youngest first: that one has lost the claim of the saga is told by what another has done.
        for instance in reversed(instances):
            try:
                taken[instance.key] = await operator.compensate(instance.key, reason)
            except NothingToUndo as nothing:
                operator.say(str(nothing))
        if not taken:
            message = f"{saga.noun.capitalize()} {saga_id} cannot be cancelled: no instance of it has anything to undo."
            raise Failure(message)
        for key, left in taken.items():
            await operator.follow(key, left)


async def _compensate(addresses: Addresses, instance: int, reason: str) -> None:
    async with parts_for_a_command(addresses) as own:
        operator = _Operator(own)
        await operator.follow(instance, await operator.compensate(instance, reason))


class _Operator:
    """What both commands do, and what they say of it."""

    def __init__(self, own: Parts) -> None:
        self._own = own
        self._compensator = Compensator(own.instances, stub(own.channel), own.sagas, own.ledgers)
        self._console = Console(highlight=False, markup=False, soft_wrap=True)

    async def compensate(self, instance: int, reason: str) -> list[ElementInstance]:
        """Bring an instance onto its compensation path; return what it was taken away from."""
        left = await self._compensator.compensate(instance, reason)
        names = ", ".join(element.name for element in left)
        what = f"{names} is undone first, then what came before it" if left else "it is being undone already"
        self.say(f"Instance {instance}: {what}.")
        return left

    async def follow(self, instance: int, left: Sequence[ElementInstance]) -> None:
        """Wait for the instance's end, and tell of it."""
        await follow(self._own.instances, instance, left)
        self.say(f"Instance {instance} has ended, compensated.")
        shown = await known(self._own.instances, instance)
        found = await saga_of(self._own.instances, self._own.sagas, instance, shown.process_id)
        if found is None:
            return
        saga, saga_id = found
        if saga.timeline is None:
            return
        try:
            happenings = await happened(self._own.participants[saga.timeline.participant], saga.timeline, saga_id)
        except Failure as failure:
            self.say(f"What was undone is not known: {failure}")
            return
        types = [each.type.removeprefix("saga.") for each in happenings]
        undone = [name.removesuffix(_UNDONE) for name in types if name.endswith(_UNDONE)]
        self.say(f"Undone, in this order: {', '.join(undone) or 'nothing'}")

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(line)
