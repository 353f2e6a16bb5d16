"""Who calls: each route is for one caller, and only its token opens it."""

import asyncio
import hmac
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

import order_fulfillment.steps
import services
from order_fulfillment.docs import commands
from saga.common.tokens import Tokens
from saga.kit.definition.discovery import discover, handlers
from saga.stack.tokens import callers
from services.participant.auth import Callers, caller_of, callers_of
from services.participant.server import router_of
from tests.services.conftest import Logged, running
from tests.services.participant import CHARGE, HOLD, Participant, Participants, bearer, caller, code, key, token
from tests.services.postgres import Admin

NAMES = sorted(services.PORTS)


def routes() -> Iterator[tuple[str, str, str, str]]:
    """Name every route but the open ones: service, method, path and caller."""
    for name in NAMES:
        for route in router_of(name).routes:
            assert isinstance(route, APIRoute)
            for method in sorted(route.methods or ()):
                yield (
                    name,
                    method,
                    route.path.format(order_id="4711", saga_id="4711", reference="4711"),
                    caller_of(route),
                )


each_route = pytest.mark.parametrize(("name", "method", "path", "own"), list(routes()))


async def ask(service: Participant, method: str, path: str, headers: Mapping[str, str]) -> httpx.Response:
    """Send what would be a whole command but for its headers; without a token unless they have one."""
    body = CHARGE if method == "PUT" else None
    return await service.http.request(method, path, json=body, headers=headers, auth=None)


@each_route
@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer wrong",
        "Basic {}",
        "{}",
        "Bearer {}x",
        "Bearer x{}",
        "Bearer {} {}",
        "Bearer\xe4",
    ],
)
async def test_a_request_without_a_known_token_is_not_let_in(
    participants: Participants, name: str, method: str, path: str, own: str, authorization: str
) -> None:
    headers = httpx.Headers(key(path + "/x", own))
    if authorization:
        headers = httpx.Headers({**headers, "Authorization": authorization.replace("{}", token(own))}, "latin-1")
    answer = await ask(participants[name], method, path, headers)
    assert code(answer) == (401, "UNAUTHENTICATED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert token(own) not in answer.text


@each_route
async def test_another_callers_token_opens_nothing_and_changes_nothing(
    participants: Participants, admin: Admin, name: str, method: str, path: str, own: str
) -> None:
    others = set(callers_of(participants[name].router)) - {own}
    for other in others:
        answer = await ask(participants[name], method, path, {**bearer(other), **key(path + "/x", own)})
        assert code(answer) == (403, "FORBIDDEN")
    assert others or name == "card_processor"
    assert await admin.fetchval(f"SELECT count(*) FROM {name}.barrier WHERE saga_id = '4711'") == 0  # noqa: S608


@pytest.mark.parametrize("name", NAMES)
async def test_a_token_of_another_service_is_not_known(participants: Participants, name: str) -> None:
    own = set(callers_of(participants[name].router))
    foreign = {each for other in NAMES for each in callers_of(router_of(other))} - own
    assert foreign
    for each in foreign:
        assert code(await participants[name].http.get("/nowhere", headers=bearer(each))) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("name", NAMES)
async def test_probes_and_documentation_need_no_token(participants: Participants, name: str) -> None:
    for path in ("/live", "/ready", "/openapi.json", "/docs"):
        assert (await participants[name].http.get(path, auth=None)).status_code == 200


def test_each_command_of_each_step_is_one_that_its_task_type_may_send() -> None:
    checked = set()
    steps = handlers(discover(order_fulfillment.steps))
    for handler in steps.values():
        for line in commands(handler):
            command = re.fullmatch(r"(\w+): `(\w+) (\S+)`", line)
            assert command
            name, method, path = command.groups()
            assert caller(router_of(name), method, path.format(order="4711")) == handler.task_type
            checked.add((name, handler.task_type))
    others = set(callers()) - set(steps)
    assert {(name, own) for name, _, _, own in routes() if own not in others} == checked


async def test_the_answer_to_one_callers_command_is_shown_to_no_other(payment: Participant, order_id: str) -> None:
    path = f"/payments/{order_id}"
    charged = await payment.do(path, CHARGE)
    for own in ("process-payment", "refund-payment"):
        for keyed in ("process-payment", "refund-payment"):
            headers = {**bearer(own), **key(path, keyed)}
            answer = await payment.http.put(path, json=CHARGE, headers=headers)
            if own == keyed == "process-payment":
                assert answer.content == charged.content
            else:
                assert answer.status_code in {403, 422}
                assert "4242" not in answer.text


async def test_a_token_is_rotated_while_requests_go_on_and_the_service_runs(
    role_urls: dict[str, str], order_id: str, tmp_path: Path
) -> None:
    for name in callers_of(router_of("inventory")):
        (tmp_path / name).write_text(token(name))
    file = tmp_path / "reserve-inventory"

    async def status(sent: str) -> int:
        headers = {**key(path, "reserve-inventory"), "Authorization": f"Bearer {sent}"}
        return (await inventory.http.put(path, json=HOLD, headers=headers)).status_code

    path = f"/reservations/{order_id}"
    async with running("inventory", role_urls["inventory"], tokens=Tokens({"TOKENS": str(tmp_path)})) as inventory:
        assert await status(token("reserve-inventory")) == 200
        file.write_text(f"new\n{token('reserve-inventory')}\n")
        # At once: a worker may have read it before the service looks at the file again.
        assert await status("new") == 200
        assert await status(token("reserve-inventory")) == 200
        file.write_text("new\n")
        async with asyncio.timeout(10):
            while await status(token("reserve-inventory")) != 401:
                pass
        assert await status("new") == 200


@pytest.mark.parametrize("wrong", ["folder", "no ASCII"])
def test_a_token_that_cannot_be_read_is_told_before_the_service_starts(tmp_path: Path, wrong: str) -> None:
    if wrong == "folder":
        (tmp_path / "read").mkdir()
    else:
        (tmp_path / "read").write_text("tökén", encoding="utf-8")
    [message] = Callers(["read"], Tokens({"TOKENS": str(tmp_path)})).without_token()
    assert message.startswith("The token of read cannot be read: ")


def test_every_token_is_compared_whether_one_fits_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one.decode())
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    callers = Callers(["a", "b", "c"], Tokens({f"TOKEN_{name}": name for name in "ABC"}))
    assert callers.recognise(b"Bearer A") == {"a"}
    assert compared == ["A", "B", "C"]


async def test_neither_a_token_nor_a_wrong_one_is_logged(payment: Participant, order_id: str, logged: Logged) -> None:
    path = f"/payments/{order_id}"
    for sent in ("wrong-token", token("refund-payment"), token("process-payment")):
        await payment.http.put(
            path, json=CHARGE, headers={**key(path, "process-payment"), "Authorization": f"Bearer {sent}"}
        )
    assert [line["event"] for line in logged()] == ["command"]
    assert "token" not in str(logged())


def test_a_route_that_does_not_say_who_calls_it_is_no_route() -> None:
    router = APIRouter()
    router.add_api_route("/open", lambda: None)
    with pytest.raises(TypeError, match="/open must say who calls it"):
        callers_of(router)
