"""Who waits for a place gets it in the order of arrival, or is refused before anything of it has begun."""

import asyncio

import pytest

from services.participant.admission import Admission, NoPlaceError


def soon(seconds: float = 5.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def until_waiting(admission: Admission, count: int) -> None:
    while len(admission._first) + len(admission._line) < count:  # noqa: ASYNC110, SLF001 - only asking tells who waits
        await asyncio.sleep(0)


async def test_places_are_given_in_the_order_of_arrival_and_to_what_has_begun_before_all() -> None:
    admission, order = Admission(1), list[str]()

    async def enter(name: str, *, first: bool = False) -> None:
        async with admission.place(soon(), first=first):
            order.append(name)

    async with asyncio.TaskGroup() as group, admission.place(soon()):
        for number, (name, first) in enumerate([("a", False), ("b", False), ("c", True), ("d", True)], 1):
            group.create_task(enter(name, first=first))
            await until_waiting(admission, number)
    assert order == ["c", "d", "a", "b"]


async def test_who_arrives_when_a_place_comes_back_does_not_have_it_before_who_waits() -> None:
    admission, order = Admission(1), list[str]()

    async def enter(name: str) -> None:
        async with admission.place(soon()):
            order.append(name)

    async with asyncio.TaskGroup() as group:
        async with admission.place(soon()):
            group.create_task(enter("waits"))
            await until_waiting(admission, 1)
        # The place is back, and who waits has not been run yet.
        await enter("comes")
    assert order == ["waits", "comes"]


async def test_who_waits_too_long_is_refused_and_takes_no_place_with_it() -> None:
    admission = Admission(1)
    async with admission.place(soon()):
        with pytest.raises(NoPlaceError):
            async with admission.place(soon(0.01)):
                pytest.fail("it was let in")
    async with asyncio.timeout(1), admission.place(soon()):
        pass


async def test_no_place_is_lost_where_its_owner_gives_up_in_the_moment_in_which_it_is_given() -> None:
    admission = Admission(1)

    async def enter() -> None:
        async with admission.place(soon()):
            pass

    async with admission.place(soon()):
        waiting = asyncio.create_task(enter())
        await until_waiting(admission, 1)
    waiting.cancel()  # The place was given to it, and it has not been run since.
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(1), admission.place(soon()):
        pass
