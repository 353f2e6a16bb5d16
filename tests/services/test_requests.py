"""What is no valid request is refused by name of the field, never with a bare error and never with its value."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

import services
from services.participant.app import create_app
from services.participant.auth import OPEN, Callers, called_by
from services.participant.database import Database
from services.participant.models import Request
from services.participant.server import router_of
from services.participant.settings import LimitSettings
from tests.services.conftest import Logged
from tests.services.participant import (
    ADDRESS,
    CHARGE,
    HOLD,
    ORDER,
    PARCEL,
    PAYS,
    Participants,
    bearer,
    caller,
    code,
    known_to,
)

NAMES = sorted(services.PORTS)
OWN_KEY = {"Idempotency-Key": '"example"'}
"""For a route whose URL names no order."""
PARTICIPANTS = sorted(set(services.PORTS) - {"card_processor"})
"""Who is commanded by the saga, in its way."""
TWICE = [{"sku": "MOUSE", "quantity": 1}, {"sku": "MOUSE", "quantity": 2}]


@pytest.mark.parametrize(
    ("service", "path", "body", "fields"),
    [
        ("orders", "/orders/{}", {}, ["claimant", "customerId", "items"]),
        ("orders", "/orders/{}", {**ORDER, "discount": 1}, ["body"]),
        ("orders", "/orders/{}", {**ORDER, "customerId": ""}, ["customerId"]),
        ("orders", "/orders/{}", {**ORDER, "customerId": "a\0b"}, ["customerId"]),
        ("orders", "/orders/{}", {**ORDER, "customerId": "\ud800"}, ["customerId"]),
        ("orders", "/orders/{}", {**ORDER, "customer_id": "c"}, ["body"]),
        ("orders", "/orders/{}", {**ORDER, "items": []}, ["items"]),
        ("orders", "/orders/{}", {**ORDER, "items": {}}, ["items"]),
        ("orders", "/orders/{}", {**ORDER, "items": TWICE}, ["items"]),
        ("orders", "/orders/{}/dispatch", {"now": True}, ["body"]),
        ("orders", "/orders/{}/cancellation", [], ["body"]),
        ("inventory", "/reservations/{}", {"items": [{"sku": 7, "quantity": 1}]}, ["items[0].sku"]),
        ("inventory", "/reservations/{}", {"items": [{"sku": "A" * 65, "quantity": 1}]}, ["items[0].sku"]),
        ("inventory", "/reservations/{}", {"items": [{"sku": "A", "quantity": 0}]}, ["items[0].quantity"]),
        ("inventory", "/reservations/{}", {"items": [{"sku": "A", "quantity": 1001}]}, ["items[0].quantity"]),
        ("inventory", "/reservations/{}", {"items": [{"sku": "A", "quantity": "1"}]}, ["items[0].quantity"]),
        ("inventory", "/reservations/{}", {"items": [{"sku": "A", "quantity": 1.0}]}, ["items[0].quantity"]),
        ("inventory", "/reservations/{}", {"items": [{"sku": "A", "quantity": True}]}, ["items[0].quantity"]),
        ("inventory", "/reservations/{}", {"items": [{"sku": "A", "quantity": 10**400}]}, ["items[0].quantity"]),
        ("inventory", "/reservations/{}", {"items": [{"sku": f"A{n}", "quantity": 1} for n in range(51)]}, ["items"]),
        ("inventory", "/reservations/{}", None, ["body"]),
        ("payment", "/payments/{}", {**CHARGE, "amount": 5}, ["amount"]),
        ("payment", "/payments/{}", {**CHARGE, "amount": {"amount": 0, "currency": "EUR"}}, ["amount.amount"]),
        ("payment", "/payments/{}", {**CHARGE, "amount": {"amount": 5, "currency": "USD"}}, ["amount.currency"]),
        ("payment", "/payments/{}", {**CHARGE, "amount": {"amount": float("nan")}}, ["amount.amount"]),
        ("shipping", "/shipments/{}", {**PARCEL, "shipTo": {**ADDRESS, "country": "de"}}, ["shipTo.country"]),
        ("shipping", "/shipments/{}", {**PARCEL, "shipTo": {**ADDRESS, "city": "x" * 201}}, ["shipTo.city"]),
    ],
)
async def test_a_body_that_does_not_validate_is_refused_by_its_fields(
    participants: Participants, order_id: str, service: str, path: str, body: object, fields: list[str]
) -> None:
    url = path.format(order_id)
    headers = {**participants[service].key("PUT", url), "Content-Type": "application/json"}
    answer = await participants[service].http.put(url, content=json.dumps(body), headers=headers)
    assert code(answer) == (422, "REQUEST_INVALID")
    assert [error["field"] for error in answer.json()["errors"]] == fields
    assert all(error["message"] for error in answer.json()["errors"])


async def test_an_unknown_field_is_refused_by_the_place_where_it_stands_for_its_name_may_say_anything(
    participants: Participants, order_id: str
) -> None:
    said = f"Ada Lovelace {PAYS}"
    body = {"items": [{"sku": "MOUSE", "quantity": 1, said: 1}], "shipTo": {**ADDRESS, said: 1, said * 2: 2}}
    answer = await participants["shipping"].do(f"/shipments/{order_id}", body)
    assert code(answer) == (422, "REQUEST_INVALID")
    unknown = "has an unknown field"
    assert answer.json()["errors"] == [
        {"field": "items[0]", "message": unknown},
        {"field": "shipTo", "message": unknown},
    ]
    assert answer.json()["detail"] == "The request does not validate: items[0], shipTo."
    assert "Lovelace" not in answer.text


@pytest.mark.parametrize(
    ("item", "status_and_code"),
    [({"sku": 7, "quantity": 1}, (422, "REQUEST_INVALID")), ({"quantity": 1}, (422, "ORDER_INVALID"))],
)
async def test_a_problem_lists_twenty_errors_and_says_how_many_more_there_are(
    participants: Participants, order_id: str, item: dict[str, object], status_and_code: tuple[int, str]
) -> None:
    items = [{"sku": f"PERPETUUM-{number}", **item} for number in range(50)]
    answer = await participants["orders"].do(f"/orders/{order_id}", {**ORDER, "items": items})
    assert code(answer) == status_and_code
    problem = answer.json()
    assert [error["field"] for error in problem["errors"]] == [f"items[{index}].sku" for index in range(20)]
    assert problem["detail"].endswith(" And 30 more errors.")
    assert "items[20]" not in answer.text


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"nothing", b'{"items": ' + b"[" * 50_000, b"[" * 50_000])
async def test_what_is_no_json_is_refused(participants: Participants, order_id: str, content: bytes) -> None:
    url = f"/reservations/{order_id}"
    headers = {**participants["inventory"].key("PUT", url), "Content-Type": "application/json"}
    answer = await participants["inventory"].http.put(url, content=content, headers=headers)
    assert code(answer) == (422, "REQUEST_INVALID")
    assert [error["field"] for error in answer.json()["errors"]] == ["body"]


@pytest.mark.parametrize("order_id", ["-4711", "a" * 65, "47%2011", "4711%00", "ümlaut"])
async def test_what_is_no_order_id_is_refused(participants: Participants, order_id: str) -> None:
    headers = {"Idempotency-Key": '"4711/reserve-inventory"'}
    answer = await participants["inventory"].http.put(f"/reservations/{order_id}", json=HOLD, headers=headers)
    assert code(answer) == (422, "REQUEST_INVALID")
    assert [error["field"] for error in answer.json()["errors"]] == ["order_id"]


@pytest.mark.parametrize("name", NAMES)
async def test_a_head_is_answered_as_its_get_without_a_body(participants: Participants, name: str) -> None:
    for path in ("/live", "/ready", "/openapi.json"):
        got, headed = [await participants[name].http.request(method, path) for method in ("GET", "HEAD")]
        assert (headed.status_code, headed.content) == (200, b"")
        assert headed.headers["Content-Length"] == str(len(got.content))


@pytest.mark.parametrize("path", ["/live/", "/stock/", "/reservations/4711/"])
async def test_a_trailing_slash_is_another_path_and_no_redirect(participants: Participants, path: str) -> None:
    assert code(await participants["inventory"].http.get(path)) == (404, "HTTP_404")


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Content-Type": "text/plain"}, "application/json, and not text/plain"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "application/json"),
        ({}, "application/json"),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, "Content-Encoding, and not gzip"),
    ],
)
async def test_a_body_in_another_form_is_told_as_that_and_not_as_a_wrong_body(
    participants: Participants, order_id: str, headers: dict[str, str], named: str
) -> None:
    url = f"/reservations/{order_id}"
    own = participants["inventory"].key("PUT", url)
    answer = await participants["inventory"].http.put(url, content=json.dumps(HOLD), headers={**own, **headers})
    assert code(answer) == (415, "MEDIA_TYPE_UNKNOWN")
    assert named in answer.json()["detail"]


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json"])
async def test_json_is_taken_however_its_type_is_written(
    participants: Participants, order_id: str, media_type: str
) -> None:
    url = f"/reservations/{order_id}"
    headers = {**participants["inventory"].key("PUT", url), "Content-Type": media_type, "Content-Encoding": "identity"}
    answer = await participants["inventory"].http.put(url, content=json.dumps(HOLD), headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["Authorization", "Idempotency-Key", "Content-Type", "Saga-Origin"])
async def test_a_header_that_stands_twice_is_refused_by_its_name(
    participants: Participants, order_id: str, name: str
) -> None:
    url = f"/reservations/{order_id}"
    own = {**participants["inventory"].key("PUT", url), **bearer("reserve-inventory"), "Saga-Origin": "1/2"}
    headers = [*own.items(), ("Host", "a"), ("Content-Type", "application/json")]
    twice = [*headers, *(each for each in headers if each[0] == name)]
    answer = await participants["inventory"].http.put(url, content=json.dumps(HOLD), headers=twice)
    assert code(answer) == (400, "REQUEST_MALFORMED")
    assert name.lower() in answer.json()["detail"]


@pytest.mark.parametrize("name", NAMES)
async def test_an_unknown_path_or_method_is_a_problem_document_too(participants: Participants, name: str) -> None:
    http = participants[name].http
    assert code(await http.get("/nowhere")) == (404, "HTTP_404")
    answer = await http.post("/live")
    assert code(answer) == (405, "HTTP_405")
    assert answer.headers["Allow"] == "GET, HEAD"


async def test_a_bug_is_a_problem_document_that_says_nothing_of_its_cause_and_is_logged_once(
    participants: Participants, order_id: str, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    def bug(*_: object) -> None:
        message = "Ada Lovelace"
        raise LookupError(message)

    monkeypatch.setattr("services.shipping.commands.insert", bug)
    answer = await participants["shipping"].do(f"/shipments/{order_id}", PARCEL)
    assert code(answer) == (500, "INTERNAL_ERROR")
    assert "Ada" not in answer.text
    [line] = logged()
    assert (line["event"], line["method"], line["route"]) == ("request failed", "PUT", "/shipments/{order_id}")
    assert "LookupError" in json.dumps(line["exception"])
    assert "Ada" not in json.dumps(line)
    monkeypatch.undo()
    assert (await participants["shipping"].do(f"/shipments/{order_id}", PARCEL)).status_code == 200


async def test_a_bug_after_the_answer_began_reaches_the_server_which_cuts_it_off() -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        raise LookupError

    router = APIRouter()
    router.add_api_route("/half", lambda: StreamingResponse(half()), dependencies=[called_by("read")])
    callers = Callers(["read"], known_to(router))
    app = create_app("test", router, Database("postgresql://127.0.0.1/none", "none"), callers, LimitSettings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        with pytest.raises(LookupError):
            await http.get("/half", headers=bearer("read"))


@pytest.mark.parametrize("name", PARTICIPANTS)
async def test_openapi_documents_each_commands_key_refusals_and_barrier_problems(
    participants: Participants, name: str
) -> None:
    document = (await participants[name].http.get("/openapi.json")).json()
    assert "ProblemDocument" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    commands = [
        operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in {"put", "delete"}
        and operation["tags"] != ["retention"]  # which is about the barrier, not behind it
    ]
    assert len(commands) >= 2
    for command in commands:
        header = [each for each in command["parameters"] if each["name"] == "Idempotency-Key"]
        assert [each["required"] for each in header] == [True]
        assert {"200", "400", "409", "422", "503"} <= set(command["responses"])
        codes = command["responses"]["409"]["content"]["application/problem+json"]["examples"]
        assert {"COMMAND_IN_PROGRESS", "COMMAND_FENCED"} <= set(codes)
        assert "$ref" in command["responses"]["200"]["content"]["application/json"]["schema"]


@pytest.mark.parametrize("name", NAMES)
async def test_openapi_says_of_each_operation_who_may_call_it_and_what_every_request_can_meet(
    participants: Participants, name: str
) -> None:
    service = participants[name]
    document = (await service.http.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"]["callerToken"]["scheme"] == "bearer"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path in OPEN:
                assert "security" not in operation
                assert "429" in operation["responses"]
                continue
            own = caller(service.router, method.upper(), path.format(order_id="4711", saga_id="4711", reference="4711"))
            assert operation["security"] == [{"callerToken": [own]}]
            assert {"401", "403", "408", "413", "422", "429", "500", "503"} <= set(operation["responses"])
            codes = [
                code
                for response in operation["responses"].values()
                for code in response.get("content", {}).get("application/problem+json", {"examples": {}})["examples"]
            ]
            assert {"UNAUTHENTICATED", "FORBIDDEN", "BODY_LATE", "BODY_TOO_LARGE", "RATE_LIMITED"} <= set(codes)
            assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]
            assert "Retry-After" in operation["responses"]["429"]["headers"]


def example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """Build a body from the examples in the document, as its readers do."""
    schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if schema["type"] == "object":
        return {name: example(each, schemas) for name, each in schema.get("properties", {}).items()}
    if schema["type"] == "array":
        return [example(schema["items"], schemas)]
    return schema["const"] if "const" in schema else schema["examples"][0]


@pytest.mark.parametrize("name", NAMES)
async def test_the_example_of_each_commands_body_is_one_that_the_service_takes(
    participants: Participants, order_id: str, name: str
) -> None:
    service = participants[name]
    document = (await service.http.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for media_type, content in operation.get("requestBody", {"content": {}})["content"].items():
                body = example(content["schema"], document["components"]["schemas"])
                url = path.format(order_id=order_id)
                needs_key = any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", ()))
                key = (service.key(method.upper(), url) if url != path else OWN_KEY) if needs_key else {}
                headers = {"Content-Type": media_type, **key}
                answer = await service.http.request(method, url, json=body, headers=headers)
                assert answer.is_success, answer.text


def unbounded(schema: dict[str, Any]) -> list[str]:
    """Return what a schema leaves open: a length, a number or a field."""
    match schema:
        case {"type": "string", "maxLength": _} | {"type": "string", "const": _} | {"type": "string", "enum": _}:
            return []
        case {"type": "string", "pattern": str(pattern)}:
            return [f"pattern {pattern}"] if set("*+") & set(pattern) else []
        case {"type": "integer" | "number", "minimum": _, "maximum": _} | {"$ref": _}:
            return []  # A reference is to a definition of the same document, and that is looked at as such.
        case {"type": "array", "maxItems": _, "items": items}:
            return unbounded(items)
        case {"type": "object"}:
            fields = schema.get("properties", {}).items()
            found = [f"{name}: {what}" for name, each in fields for what in unbounded(each)]
            return found if schema.get("additionalProperties") is False else [*found, "unknown fields"]
        case _:
            return [f"unbounded {schema.get('type')}"]


def test_every_field_of_every_request_model_has_a_bound_and_no_model_takes_unknown_fields() -> None:
    for name in NAMES:
        router_of(name)
    models = descendants(Request)
    assert {"NewOrder", "Hold", "Charge", "Parcel", "Nothing", "Item", "Money"} <= {each.__name__ for each in models}
    for model in models:
        schema = model.model_json_schema()
        for each in (schema, *schema.get("$defs", {}).values()):
            assert unbounded(each) == [], model.__name__


def descendants(model: type[BaseModel]) -> list[type[BaseModel]]:
    return [each for child in model.__subclasses__() for each in (child, *descendants(child))]


async def test_each_declared_refusal_is_documented(participants: Participants) -> None:
    expected = {
        ("orders", "/orders/{order_id}", "409"): "ORDER_DUPLICATE",
        ("orders", "/orders/{order_id}", "422"): "ORDER_INVALID",
        ("orders", "/orders/{order_id}/dispatch", "409"): "ORDER_CANCELLED",
        ("inventory", "/reservations/{order_id}", "409"): "OUT_OF_STOCK",
        ("payment", "/payments/{order_id}", "409"): "PAYMENT_DECLINED",
        ("shipping", "/shipments/{order_id}", "409"): "ADDRESS_UNSERVICEABLE",
    }
    documents: dict[str, httpx.Response] = {
        name: await service.http.get("/openapi.json") for name, service in participants.items()
    }
    for (name, path, status), refusal in expected.items():
        responses = documents[name].json()["paths"][path]["put"]["responses"]
        assert refusal in responses[status]["content"]["application/problem+json"]["examples"]
