"""Messages: what is answered where one is correlated at once."""

from typing import Any

import pytest

from tests.engine.rest.conftest import Service

CORRELATION = "messages/correlation"


async def test_a_correlated_message_is_answered_with_its_key_and_the_instance_that_took_it(engine: Service) -> None:
    instance = await engine.start("interruptible", orderId="4711")
    body = {"name": "Cancel", "correlationKey": "4711", "variables": {"why": "late"}, "tenantId": "<default>"}
    answer = await engine.post(CORRELATION, body)
    assert answer == {"tenantId": "<default>", "messageKey": answer["messageKey"], "processInstanceKey": instance}
    assert answer["messageKey"].isdecimal()
    assert (await engine.job("interruptible-inner"))["variables"]["why"] == "late"


async def test_a_message_that_nobody_waits_for_is_404_and_reaches_nobody_later(engine: Service) -> None:
    body = {"name": "Cancel", "correlationKey": "4711"}
    problem = await engine.post(CORRELATION, body, 404)
    assert (problem["title"], problem["instance"]) == ("NOT_FOUND", f"/v2/{CORRELATION}")
    assert problem["detail"].startswith("Command 'CORRELATE' rejected with code 'NOT_FOUND': Expected to find a sub")
    instance = await engine.start("interruptible", orderId="4711")
    assert len(await engine.search("message-subscriptions", processInstanceKey=instance)) == 1
    await engine.post(CORRELATION, body)
    await engine.post(CORRELATION, body, 404)


@pytest.mark.parametrize(
    ("body", "title", "detail"),
    [
        ({"correlationKey": "1"}, "INVALID_ARGUMENT", "No messageName provided."),
        ({"name": ""}, "INVALID_ARGUMENT", "No messageName provided."),
        ({"name": "m", "variables": [1]}, "Bad Request", "Request property [variables] cannot be parsed"),
        ({"name": "m", "correlationKey": 1}, "Bad Request", "Request property [correlationKey] cannot be parsed"),
        ({"name": "m", "timeToLive": 1}, "Bad Request", "Request property [timeToLive] cannot be parsed"),
        ({"name": "m", "messageId": "1"}, "Bad Request", "Request property [messageId] cannot be parsed"),
    ],
)
async def test_a_correlation_that_cannot_be_is_400(
    quiet_engine: Service, body: dict[str, Any], title: str, detail: str
) -> None:
    problem = await quiet_engine.post(CORRELATION, body, 400)
    assert (problem["title"], problem["detail"]) == (title, detail)


async def test_a_correlation_for_another_tenant_or_with_a_key_that_is_too_long_is_400(quiet_engine: Service) -> None:
    problem = await quiet_engine.post(CORRELATION, {"name": "m", "tenantId": "acme"}, 400)
    assert "'acme'" in problem["detail"]
    problem = await quiet_engine.post(CORRELATION, {"name": "m", "correlationKey": "x" * 40_000}, 400)
    assert problem["title"] == "INVALID_ARGUMENT"
    assert "at most 32768 bytes" in problem["detail"]
