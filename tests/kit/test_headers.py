"""Task headers: what the modeler sets in the diagram goes before what the step says."""

import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.kit import Declined, Retry, Step, Unavailable
from saga.kit.definition.headers import HeaderError, retry_of
from saga.kit.definition.outcomes import Fail
from tests.kit.bench import Seen, until, working
from tests.kit.gateway import ScriptedGateway
from tests.kit.task import Done, Task

STEP = Retry(retries=5, base=1.0, factor=2.0, cap=6.0, jitter=0.5)


@pytest.mark.parametrize(
    ("headers", "policy"),
    [
        ("{}", STEP),
        ('{"colour": "red"}', STEP),
        ('{"retryCount": "7"}', Retry(7, 1.0, 2.0, 6.0, 0.5)),
        ('{"retryBackoff": "PT5S"}', Retry(5, 5.0, 2.0, 6.0, 0.5)),
        ('{"retryBackoff": "0.25"}', Retry(5, 0.25, 2.0, 6.0, 0.5)),
        ('{"retryBackoffFactor": "3", "retryBackoffCap": "PT1M30S"}', Retry(5, 1.0, 3.0, 90.0, 0.5)),
        ('{"retryJitter": "0"}', Retry(5, 1.0, 2.0, 6.0, 0.0)),
    ],
)
def test_a_header_takes_the_place_of_one_fact_of_the_policy(headers: str, policy: Retry) -> None:
    assert retry_of(STEP, headers) == policy


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ('{"retryCount": "many"}', "retryCount"),
        ('{"retryCount": "0"}', "retryCount"),
        ('{"retryBackoff": "5 minutes"}', "retryBackoff"),
        ('{"retryBackoff": "-PT5S"}', "retryBackoff"),
        ('{"retryBackoff": "NaN"}', "retryBackoff"),
        ('{"retryBackoffFactor": "0.5"}', "retryBackoffFactor"),
        ('{"retryBackoffCap": "P2D"}', "retryBackoffCap"),
        ('{"retryJitter": "2"}', "retryJitter"),
    ],
)
def test_a_header_that_cannot_be_read_is_named_with_its_mend(headers: str, named: str) -> None:
    with pytest.raises(HeaderError, match=rf"{named}: .*Mend them in the diagram"):
        retry_of(STEP, headers)


def failing() -> Step:
    step = Step("work", undo=None, retry=STEP)

    @step.do
    async def work(task: Task) -> Done:
        del task
        message = "away"
        raise Unavailable(message)

    return step


async def test_a_refusal_takes_its_way_whatever_the_headers_say(gateway: ScriptedGateway) -> None:
    step = Step("work", undo=None, refuses={"NO"})

    @step.do
    async def work(task: Task) -> Done:
        code = "NO"
        raise Declined(code, task.name)

    gateway.push(gateway.job(headers='{"retryCount": "many"}'))
    async with working(gateway, step):
        await until(lambda: len(gateway.told) == 1)
    assert isinstance(gateway.told[0], pb.ThrowErrorRequest)


@pytest.mark.parametrize(
    ("headers", "granted", "left", "backoff"),
    [
        ('{"retryBackoff": "PT40S", "retryBackoffCap": "PT1H", "retryJitter": "0"}', 5, 4, 40.0),
        ('{"retryBackoff": "PT40S", "retryBackoffCap": "PT1H", "retryJitter": "0"}', 3, 2, 160.0),
        ('{"retryCount": "2", "retryJitter": "0"}', 10, 1, 1.0),
        ('{"retryCount": "1"}', 10, 0, 0.0),
    ],
)
async def test_a_job_is_tried_again_as_its_headers_say(
    gateway: ScriptedGateway, headers: str, granted: int, left: int, backoff: float
) -> None:
    seen = Seen()
    gateway.push(gateway.job(retries=granted, headers=headers))
    async with working(gateway, failing(), seen):
        await until(lambda: len(seen.jobs) == 1)
    answer = seen.jobs[0].reply
    assert isinstance(answer, Fail)
    assert (answer.retries, answer.backoff) == (left, backoff)


async def test_headers_that_cannot_be_read_are_an_incident(gateway: ScriptedGateway) -> None:
    gateway.push(gateway.job(headers='{"retryBackoff": "soon"}'))
    async with working(gateway, failing()):
        await until(lambda: len(gateway.told) == 1)
    (request,) = gateway.told
    assert isinstance(request, pb.FailJobRequest)
    assert request.retries == 0
    assert "retryBackoff" in request.errorMessage
