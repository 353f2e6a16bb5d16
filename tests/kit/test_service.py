"""The way to a participant: each answer is told apart by the outcomes table."""

from collections.abc import AsyncIterator

import httpx
import pytest
import respx
from pydantic import BaseModel

from workers.kit import Broken, Declined, Receipt, Service, Unavailable

URL = "http://participant.test"


class Paid(Receipt):
    payment_id: str


class Charge(BaseModel):
    amount: int


@pytest.fixture
async def payment() -> AsyncIterator[Service]:
    async with httpx.AsyncClient(base_url=URL) as http:
        yield Service("payment", http, "4711/process-payment")


def problem(status: int, code: str, **more: object) -> httpx.Response:
    document = {"type": f"urn:saga:problem:{code.lower()}", "code": code, "detail": "because", **more}
    return httpx.Response(status, json=document, headers={"Content-Type": "application/problem+json"})


async def answered(respx_mock: respx.Router, payment: Service, response: httpx.Response) -> Paid:
    respx_mock.put(f"{URL}/payments/4711").mock(return_value=response)
    return await payment.put("/payments/4711", Paid, Charge(amount=5))


@respx.mock(assert_all_called=True)
async def test_a_command_carries_the_sagas_key_and_reads_the_receipt(
    respx_mock: respx.Router, payment: Service
) -> None:
    paid = await answered(respx_mock, payment, httpx.Response(200, json={"paymentId": "p", "added": "later"}))
    assert paid == Paid(payment_id="p")
    request = respx_mock.calls.last.request
    assert request.headers["Idempotency-Key"] == '"4711/process-payment"'
    assert request.content == b'{"amount":5}'


@pytest.mark.parametrize("status", [409, 422])
@respx.mock
async def test_a_business_refusal_is_declined_with_its_code(
    respx_mock: respx.Router, payment: Service, status: int
) -> None:
    errors = [{"field": "card", "message": "is blocked"}]
    with pytest.raises(Declined) as caught:
        await answered(respx_mock, payment, problem(status, "PAYMENT_DECLINED", errors=errors))
    assert (caught.value.code, caught.value.message) == ("PAYMENT_DECLINED", "because")
    assert caught.value.errors[0].field == "card"


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504])
@respx.mock
async def test_a_participant_that_cannot_now_is_unavailable(
    respx_mock: respx.Router, payment: Service, status: int
) -> None:
    with pytest.raises(Unavailable) as caught:
        await answered(respx_mock, payment, httpx.Response(status, headers={"Retry-After": "7"}))
    assert caught.value.retry_after == 7.0


@respx.mock
async def test_a_command_in_progress_is_unavailable_and_no_refusal(respx_mock: respx.Router, payment: Service) -> None:
    with pytest.raises(Unavailable):
        await answered(respx_mock, payment, problem(409, "COMMAND_IN_PROGRESS"))


@pytest.mark.parametrize("code", ["IDEMPOTENCY_KEY_REUSED", "COMMAND_FENCED", "REQUEST_INVALID"])
@respx.mock
async def test_the_barriers_own_refusals_never_compensate(
    respx_mock: respx.Router, payment: Service, code: str
) -> None:
    with pytest.raises(Broken, match=code):
        await answered(respx_mock, payment, problem(422, code))


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 500])
@respx.mock
async def test_an_answer_that_nobody_expects_is_an_incident(
    respx_mock: respx.Router, payment: Service, status: int
) -> None:
    with pytest.raises(Broken, match=str(status)):
        await answered(respx_mock, payment, httpx.Response(status, text="<html>oops</html>"))


@respx.mock
async def test_a_receipt_that_cannot_be_read_is_an_incident_without_its_values(
    respx_mock: respx.Router, payment: Service
) -> None:
    with pytest.raises(Broken, match=r"paymentId") as caught:
        await answered(respx_mock, payment, httpx.Response(200, json={"paymentId": 12345}))
    assert "12345" not in str(caught.value)


@pytest.mark.parametrize("error", [httpx.ReadTimeout, httpx.ConnectError, httpx.RemoteProtocolError])
@respx.mock
async def test_a_lost_answer_is_unavailable_because_its_effect_is_unknown(
    respx_mock: respx.Router, payment: Service, error: type[httpx.TransportError]
) -> None:
    respx_mock.delete(f"{URL}/payments/4711").mock(side_effect=error("lost"))
    with pytest.raises(Unavailable, match=error.__name__):
        await payment.delete("/payments/4711", Paid)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("86400", 300.0), ("9" * 400, 300.0), ("\u00b2", None), ("soon", None), ("-1", None)],
)
@respx.mock
async def test_a_wish_to_be_asked_later_is_heard_up_to_a_bound(
    respx_mock: respx.Router, payment: Service, value: str, seconds: float | None
) -> None:
    headers = [(b"Retry-After", value.encode())]
    with pytest.raises(Unavailable) as caught:
        await answered(respx_mock, payment, httpx.Response(503, headers=headers))
    assert caught.value.retry_after == seconds
