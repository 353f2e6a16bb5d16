"""The words of an order: what is refused, and that no refusal repeats a customer's data."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from order_fulfillment.docs import DIAGRAM
from order_fulfillment.model import Order
from saga.kit.definition.variables import field_errors

GOOD: dict[str, Any] = json.loads((DIAGRAM.parent / "examples" / "fulfilled.json").read_text())
WRONG: list[tuple[dict[str, object], str]] = [
    ({"orderId": None}, "orderId"),
    ({"orderId": 4711}, "orderId"),
    ({"orderId": ""}, "orderId"),
    ({"orderId": "../stock"}, "orderId"),
    ({"orderId": "a/b"}, "orderId"),
    ({"orderId": "x" * 65}, "orderId"),
    ({"orderId": "4711\n"}, "orderId"),
    ({"items": []}, "items"),
    ({"items": [{"sku": "MOUSE", "quantity": 0}]}, "items[0].quantity"),
    ({"items": [{"sku": "MOUSE", "quantity": 1.5}]}, "items[0].quantity"),
    ({"items": [{"sku": "MOUSE", "quantity": True}]}, "items[0].quantity"),
    ({"items": [{"sku": "MOUSE", "quantity": "1"}]}, "items[0].quantity"),
    ({"items": [{"sku": "MOUSE", "quantity": 1, "4242424242424242": 0}]}, "items[0]"),
    ({"items": [{"sku": "MOUSE", "quantity": 1}] * 2}, "items"),
    ({"card": "4242424242424241"}, "card"),
    ({"card": "4242 4242 4242 4242"}, "card"),
    ({"card": 4242424242424242}, "card"),
    ({"shipTo": {**GOOD["shipTo"], "country": "Germany"}}, "shipTo.country"),
    ({"shipTo": {**GOOD["shipTo"], "name": ""}}, "shipTo.name"),
    ({"shipTo": {**GOOD["shipTo"], "city": "Ber\x00lin"}}, "shipTo.city"),
    ({"customerId": "a\nb"}, "customerId"),
]
"""Changes that make it none, and the field that has to be named."""


def wrong_fields(order: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Order.model_validate_json(json.dumps(order))
    return [each.field for each in field_errors(caught.value)]


def test_the_example_is_an_order() -> None:
    assert Order.model_validate_json(json.dumps(GOOD)).saga_id == GOOD["orderId"]


@pytest.mark.parametrize(("change", "field"), WRONG)
def test_a_wrong_field_is_named(change: dict[str, object], field: str) -> None:
    assert wrong_fields({**GOOD, **change}) == [field]


@pytest.mark.parametrize("field", GOOD)
def test_a_missing_field_is_named(field: str) -> None:
    assert wrong_fields({name: value for name, value in GOOD.items() if name != field}) == [field]


def test_receipts_beside_the_order_do_not_disturb_it() -> None:
    assert Order.model_validate_json(json.dumps({**GOOD, "reservation": {"reservationId": "r"}}))


def refusal_of(secret: str) -> str:
    """Return all that is said of an order with the same wrong text in several fields."""
    ship_to = {**GOOD["shipTo"], "country": secret}
    with pytest.raises(ValidationError) as caught:
        Order.model_validate_json(json.dumps({**GOOD, "card": secret, "shipTo": ship_to, "orderId": secret + "/"}))
    return "".join(f"{each.field}{each.message}" for each in field_errors(caught.value))


# Not what a refusal says of every text, as the pattern of a field.
@given(st.text(min_size=8).filter(lambda text: text not in json.dumps(GOOD) + refusal_of("!!!!!!!!")))
def test_no_refusal_repeats_a_customers_data(secret: str) -> None:
    assert secret not in refusal_of(secret)


@given(st.from_regex(r"[0-9]{11,18}", fullmatch=True))
def test_exactly_one_check_digit_makes_a_card_number(digits: str) -> None:
    def accepted(number: str) -> bool:
        try:
            Order.model_validate_json(json.dumps({**GOOD, "card": number}))
        except ValidationError:
            return False
        return True

    assert sum(accepted(f"{digits}{last}") for last in range(10)) == 1


def test_a_flood_of_wrong_fields_is_named_up_to_a_bound_and_without_its_own_words() -> None:
    flood = {f"Ada Lovelace {number}": 1 for number in range(50_000)}
    with pytest.raises(ValidationError) as caught:
        Order.model_validate_json(json.dumps({**GOOD, "shipTo": {**GOOD["shipTo"], **flood}}))
    errors = field_errors(caught.value)
    assert len(errors) == 21
    assert errors[-1].message == "and 49980 more"
    assert "Ada" not in "".join(f"{each.field}{each.message}" for each in errors)
