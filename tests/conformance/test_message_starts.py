"""Section 9: messages that start instances."""

import pytest

from tests.conformance.diagrams import draw
from tests.conformance.zeebe import Zeebe, variables_of
from tests.engine.drawing import awaits, catch, end, message, start, task


@pytest.fixture
def m(zeebe: Zeebe) -> str:
    """The message's name."""
    return zeebe.name("m")


@pytest.fixture
async def t(zeebe: Zeebe, m: str) -> str:
    """The type of the task behind the start event; deployed."""
    p, t = zeebe.names("p", "t")
    await zeebe.deploy(draw(p, "start > a > end", message(m), start=start(message=m), a=task(t), end=end()))
    return t


@pytest.mark.case(105, "d")
async def test_a_correlation_key_starts_one_instance_at_a_time_and_an_empty_one_any_number(
    zeebe: Zeebe, m: str, t: str
) -> None:
    for x, key in enumerate(("k", "k", "other", "", "")):
        await zeebe.publish(m, key, ttl=0, x=x)
    jobs = await zeebe.some_jobs(t, 4)
    assert sorted(variables_of(job)["x"] for job in jobs) == [0, 2, 3, 4]
    assert await zeebe.jobs(t) == []


@pytest.mark.case(106, "t")
@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_buffered_message_starts_its_instance_when_the_one_before_has_ended(
    zeebe: Zeebe, m: str, t: str, *, cancelled: bool
) -> None:
    for x in range(2):
        await zeebe.publish(m, "k", x=x)
    first = await zeebe.job(t)
    assert variables_of(first) == {"x": 0}
    assert await zeebe.jobs(t) == []
    await (zeebe.cancel(first.processInstanceKey) if cancelled else zeebe.complete(first))
    assert variables_of(await zeebe.job(t)) == {"x": 1}


@pytest.mark.case(133, "s")
async def test_a_message_that_continues_an_instance_starts_none_of_its_process_but_one_of_another(
    zeebe: Zeebe, m: str, t: str
) -> None:
    q, by_message, passed = zeebe.names("q", "by-message", "passed")
    drawn = draw(
        q,
        "none > wait > b > end; other > c > end",
        message(m, "=key"),
        none=start(),
        wait=catch(awaits(m)),
        b=task(passed),
        other=start(message=m),
        c=task(by_message),
        end=end(),
    )
    await zeebe.deploy(drawn)
    instance = await zeebe.create(q, key="k")
    await zeebe.found("message-subscriptions", processInstanceKey=instance)
    await zeebe.publish(m, "k")
    assert (await zeebe.job(passed)).processInstanceKey == instance
    await zeebe.job(t)
    assert await zeebe.jobs(by_message) == []


@pytest.mark.case("147d", "s")
async def test_of_the_instances_that_a_message_reaches_a_started_one_is_named_before_a_continued_one(
    zeebe: Zeebe, m: str, t: str
) -> None:
    q = zeebe.name("q")
    waits = draw(q, "start > wait > end", message(m, "=key"), start=start(), wait=catch(awaits(m)), end=end())
    await zeebe.deploy(waits)
    instance = await zeebe.create(q, key="k")
    await zeebe.found("message-subscriptions", processInstanceKey=instance)
    answer = await zeebe.request("POST", "messages/correlation", {"name": m, "correlationKey": "k"})
    assert answer["processInstanceKey"] == str((await zeebe.job(t)).processInstanceKey)
    await zeebe.ended(instance)
