"""The way to a participant: each answer is told apart by the outcomes table."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import respx
from pydantic import BaseModel

from saga.clients.tokens import for_step
from saga.common.tokens import Tokens
from saga.kit import Broken, Declined, Receipt, Service, Unavailable
from saga.kit.definition.job import Job
from saga.kit.definition.service import Participants
from saga.kit.definition.transient import TRANSIENT

URL = "http://participant.test"


JOB = Job(1, "process-payment", 23, 42, "order-fulfillment", "Task_ProcessPayment", 3, 0.0)


class Paid(Receipt):
    payment_id: str


class Charge(BaseModel):
    amount: int


@pytest.fixture
def network() -> respx.Router:
    """What the participants answer; only to this test's own clients, while proxies of this process go on."""
    return respx.Router(assert_all_called=False)


def client(network: respx.Router, *, follow_redirects: bool = False) -> httpx.AsyncClient:
    transport = httpx.MockTransport(network.async_handler)
    return httpx.AsyncClient(base_url=URL, transport=transport, follow_redirects=follow_redirects)


@pytest.fixture
async def payment(network: respx.Router) -> AsyncIterator[Service]:
    async with client(network) as http:
        yield Service("payment", http, "4711/process-payment", JOB.origin, lambda *_, **__: "secret")


def problem(status: int, code: str, **more: object) -> httpx.Response:
    document = {"type": f"urn:saga:problem:{code.lower()}", "code": code, "detail": "because", **more}
    return httpx.Response(status, json=document, headers={"Content-Type": "application/problem+json"})


async def answered(network: respx.Router, payment: Service, response: httpx.Response) -> Paid:
    network.put(f"{URL}/payments/4711").mock(return_value=response)
    return await payment.put("/payments/4711", Paid, Charge(amount=5))


async def test_a_command_carries_the_sagas_key_and_reads_the_receipt(network: respx.Router, payment: Service) -> None:
    paid = await answered(network, payment, httpx.Response(200, json={"paymentId": "p", "added": "later"}))
    assert paid == Paid(payment_id="p")
    request = network.calls.last.request
    assert request.headers["Idempotency-Key"] == '"4711/process-payment"'
    assert request.headers["Authorization"] == "Bearer secret"
    assert request.headers["Saga-Origin"] == "23/42"
    assert request.content == b'{"amount":5}'


async def test_the_token_is_looked_up_at_each_command(network: respx.Router) -> None:
    tokens = iter(["old", "new"])
    network.delete(f"{URL}/payments/4711").mock(return_value=httpx.Response(200, json={"paymentId": "p"}))
    async with client(network) as http:
        payment = Service("payment", http, "4711/refund-payment", JOB.origin, lambda *_, **__: next(tokens))
        for _ in range(2):
            await payment.delete("/payments/4711", Paid)
    assert [call.request.headers["Authorization"] for call in network.calls] == ["Bearer old", "Bearer new"]


async def test_without_a_token_nothing_is_sent_and_the_incident_says_where_it_belongs(
    network: respx.Router, tmp_path: Path
) -> None:
    participants = Participants({"payment": client(network)}, for_step(Tokens({"TOKENS": str(tmp_path)})))
    with pytest.raises(Broken, match=f"{tmp_path}/process-payment is not there, or empty.* then retry"):
        await participants.service("payment", "4711", JOB).put("/payments/4711", Paid)
    assert network.calls.call_count == 0
    (tmp_path / "process-payment").write_text("secret")
    assert for_step(Tokens({"TOKENS": str(tmp_path)}))("process-payment") == "secret"


async def test_a_token_that_was_changed_a_moment_ago_is_looked_up_again_when_the_participant_refuses_the_old_one(
    network: respx.Router, tmp_path: Path
) -> None:
    (tmp_path / "process-payment").write_text("old")
    tokens = Tokens({"TOKENS": str(tmp_path)})
    tokens.current("process-payment")
    (tmp_path / "process-payment").write_text("new")

    def participant(request: httpx.Request) -> httpx.Response:
        known = request.headers["Authorization"] == "Bearer new"
        return httpx.Response(200, json={"paymentId": "p"}) if known else problem(401, "UNAUTHENTICATED")

    network.put(f"{URL}/payments/4711").mock(side_effect=participant)
    participants = Participants({"payment": client(network)}, for_step(tokens))
    await participants.service("payment", "4711", JOB).put("/payments/4711", Paid)
    assert network.calls.call_count == 2


@pytest.mark.parametrize(("status", "code"), [(401, "UNAUTHENTICATED"), (403, "FORBIDDEN")])
async def test_a_token_that_the_participant_does_not_know_is_an_incident_that_says_what_to_do(
    network: respx.Router, payment: Service, status: int, code: str
) -> None:
    expected = f"payment answered {status} {code}: it knows another token of process-payment .* Give both the same one"
    with pytest.raises(Broken, match=expected) as caught:
        await answered(network, payment, problem(status, code))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_incident_and_never_followed(network: respx.Router, status: int) -> None:
    elsewhere = network.route(host="elsewhere.test")
    network.put(f"{URL}/payments/4711").mock(
        return_value=httpx.Response(status, headers={"Location": "http://elsewhere.test/payments/4711"})
    )
    async with client(network, follow_redirects=True) as http:
        payment = Service("payment", http, "4711/process-payment", JOB.origin, lambda *_, **__: "secret")
        with pytest.raises(Broken, match=str(status)):
            await payment.put("/payments/4711", Paid)
    assert not elsewhere.called


HOSTILE = [
    *("http://elsewhere.test/x", "//elsewhere.test/x", "@elsewhere.test", "x@elsewhere.test", "\\\\elsewhere.test"),
    *("..", "../../stock", ".", "x/../../stock", "%2e%2e", "%2F", "x?y=1", "x#y", "x;y", "x y", "x/", "/"),
    *("x\r\nHost: elsewhere.test", "x\n", "\n", "x\0", "ümlaut", "x\u2028", '"', "\\", "x" + "\ud800"),
]


@pytest.mark.parametrize("value", HOSTILE)
async def test_no_variable_in_a_path_or_a_key_leads_a_command_elsewhere(network: respx.Router, value: str) -> None:
    anywhere = network.route().mock(return_value=httpx.Response(200, json={"paymentId": "p"}))
    async with client(network) as http:
        participants = Participants({"payment": http}, lambda *_, **__: "secret")
        payment = participants.service("payment", "4711", JOB)
        for path in (f"/payments/{value}", f"{value}/payments", value):
            with pytest.raises(Broken, match="payment is not asked") as caught:
                await payment.put(path, Paid)
            assert not value.strip("./") or value not in str(caught.value)
        keyed = participants.service("payment", value, JOB)
        with suppress(Broken):
            await keyed.delete("/payments/4711", Paid)
    for call in anywhere.calls:
        assert str(call.request.url) == f"{URL}/payments/4711"
        assert call.request.headers["Host"] == "participant.test"
        assert call.request.headers["Idempotency-Key"] == f'"{value}/process-payment"'


@pytest.mark.parametrize("status", [409, 422])
async def test_a_business_refusal_is_declined_with_its_code(
    network: respx.Router, payment: Service, status: int
) -> None:
    errors = [{"field": "card", "message": "is blocked"}]
    with pytest.raises(Declined) as caught:
        await answered(network, payment, problem(status, "PAYMENT_DECLINED", errors=errors))
    assert (caught.value.code, caught.value.message) == ("PAYMENT_DECLINED", "because")
    assert caught.value.errors[0].field == "card"


@pytest.mark.parametrize("status", [*sorted(TRANSIENT), 500])
async def test_a_participant_that_cannot_now_is_unavailable(
    network: respx.Router, payment: Service, status: int
) -> None:
    with pytest.raises(Unavailable) as caught:
        await answered(network, payment, httpx.Response(status, headers={"Retry-After": "7"}))
    assert caught.value.retry_after == 7.0


async def test_a_command_in_progress_is_unavailable_and_no_refusal(network: respx.Router, payment: Service) -> None:
    with pytest.raises(Unavailable):
        await answered(network, payment, problem(409, "COMMAND_IN_PROGRESS"))


@pytest.mark.parametrize("code", ["IDEMPOTENCY_KEY_REUSED", "COMMAND_FENCED", "REQUEST_INVALID"])
async def test_the_barriers_own_refusals_never_compensate(network: respx.Router, payment: Service, code: str) -> None:
    with pytest.raises(Broken, match=code):
        await answered(network, payment, problem(422, code))


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 413, 409, 422, 501, 505, 507, 508, 511, 526, 561])
async def test_an_answer_that_nobody_expects_is_an_incident(
    network: respx.Router, payment: Service, status: int
) -> None:
    with pytest.raises(Broken, match=str(status)):
        await answered(network, payment, httpx.Response(status, text="<html>oops</html>"))


async def test_a_bug_that_the_participant_itself_tells_is_an_incident_at_once(
    network: respx.Router, payment: Service
) -> None:
    with pytest.raises(Broken, match="500 INTERNAL_ERROR"):
        await answered(network, payment, problem(500, "INTERNAL_ERROR"))


async def test_a_refusal_is_one_however_its_content_type_is_written(network: respx.Router, payment: Service) -> None:
    response = problem(409, "PAYMENT_DECLINED")
    response.headers["Content-Type"] = "Application/Problem+JSON ; charset=UTF-8"
    with pytest.raises(Declined):
        await answered(network, payment, response)


async def test_a_receipt_that_cannot_be_read_is_an_incident_without_its_values(
    network: respx.Router, payment: Service
) -> None:
    with pytest.raises(Broken, match=r"paymentId") as caught:
        await answered(network, payment, httpx.Response(200, json={"paymentId": 12345}))
    assert "12345" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout, httpx.ConnectError, httpx.RemoteProtocolError, httpx.DecodingError]
)
async def test_a_lost_answer_is_unavailable_because_its_effect_is_unknown(
    network: respx.Router, payment: Service, error: type[httpx.RequestError]
) -> None:
    network.delete(f"{URL}/payments/4711").mock(side_effect=error("lost"))
    with pytest.raises(Unavailable, match=error.__name__):
        await payment.delete("/payments/4711", Paid)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("86400", 300.0), ("9" * 400, 300.0), ("\u00b2", None), ("soon", None), ("-1", None)],
)
async def test_a_wish_to_be_asked_later_is_heard_up_to_a_bound(
    network: respx.Router, payment: Service, value: str, seconds: float | None
) -> None:
    headers = [(b"Retry-After", value.encode())]
    with pytest.raises(Unavailable) as caught:
        await answered(network, payment, httpx.Response(503, headers=headers))
    assert caught.value.retry_after == seconds
