"""The effects that nobody has settled yet, as the participants' ledgers have them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from saga.clients.participant import Participant

CALLER = "reconcile"
"""Who asks the ledgers."""
_PAGE = 250
"""Effects that a participant is asked for at once, and told of at once."""


class _Read(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Effect(_Read):
    """What a do has left at a participant."""

    participant: str = ""
    saga_id: str
    branch: str
    caller: str
    """The task type whose worker made it."""
    origin: str | None
    """`<process instance key>/<element instance key>` of the job that it was made for."""
    at: datetime

    @property
    def keys(self) -> tuple[int, int] | None:
        """The keys of its process instance and its element instance; None where it does not say them."""
        instance, _, element = (self.origin or "").partition("/")
        return (int(instance), int(element)) if instance.isdecimal() and element.isdecimal() else None


class _Page(_Read):
    effects: list[Effect]
    next: str | None


class Settlement(StrEnum):
    """How an effect was settled; an undo settles its own by itself."""

    KEPT = "kept"
    ASKED = "asked"
    """A person has it."""


class Ledger:
    """One participant's ledger of effects."""

    def __init__(self, participant: Participant) -> None:
        """Ask `participant`, as the caller `reconcile`."""
        self.participant = participant.name
        self._asked = participant

    def unsettled(self, *, older_than: float = 0.0, saga_id: str | None = None) -> AsyncIterator[list[Effect]]:
        """Go through the effects that are older than so many seconds, the oldest first; of one saga, or of all.

        Gives a page at a time. Raises Failure where the participant does not answer as it must.
        """
        return self._pages({"olderThan": older_than} | ({"sagaId": saga_id} if saga_id else {}))

    def asked(self, saga_id: str | None = None) -> AsyncIterator[list[Effect]]:
        """Go through the effects that a person has, as `unsettled` does."""
        return self._pages({"settlement": "asked"} | ({"sagaId": saga_id} if saga_id else {}))

    async def standing(self, saga_id: str) -> AsyncIterator[Effect]:
        """Go through the effects of a saga that no undo has taken back, settled or not.

        Raises Failure as `unsettled` does.
        """
        # In the order in which one can be followed by the other, so that none is missed.
        for settlement in ({}, {"settlement": "asked"}, {"settlement": "kept"}):
            async for page in self._pages({"sagaId": saga_id, **settlement}):
                for effect in page:
                    yield effect

    async def settle(self, effects: Sequence[Effect], settlement: Settlement) -> None:
        """Write down how effects were settled; said twice, it is the same.

        Raises:
            Failure: The participant does not answer as it must.
        """
        for begin in range(0, len(effects), _PAGE):
            named = [{"sagaId": each.saga_id, "branch": each.branch} for each in effects[begin : begin + _PAGE]]
            body = {"settlement": settlement, "effects": named}
            await self._asked.ask(CALLER, "POST", "/effects/settlements", json=body)

    async def _pages(self, query: Mapping[str, str | float]) -> AsyncIterator[list[Effect]]:
        after: str | None = None
        while True:
            place = {} if after is None else {"after": after}
            page = await self._asked.read(CALLER, "/effects", _Page, limit=_PAGE, **query, **place)
            yield [effect.model_copy(update={"participant": self.participant}) for effect in page.effects]
            after = page.next
            if after is None:
                return
