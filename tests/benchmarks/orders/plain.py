"""The same workers written plainly: pyzeebe and httpx as their documentation shows them, with the defaults of both.

`python -m tests.benchmarks.orders.plain` runs it; ZEEBE_ADDRESS, ORDERS_URL, TOKENS and so on say where everything is.
It sends what the steps of order_fulfillment send, under the same keys, with the same bodies, and leaves the same
receipts.
"""
# ruff: noqa: N803 - pyzeebe fetches the process variables that a task's parameters are named after
# mypy: disable-error-code="arg-type"
# (the types of pyzeebe's decorator fit no function: mypy solves its ParamSpec with Never)

import asyncio
import os
from http import HTTPStatus
from typing import Any

import httpx
from pyzeebe import Job, ZeebeTaskRouter, ZeebeWorker, create_insecure_channel
from pyzeebe.errors import BusinessError

from saga.common.tokens import read_tokens

REFUSALS = frozenset(
    {
        "ORDER_DUPLICATE",
        "ORDER_INVALID",
        "OUT_OF_STOCK",
        "PAYMENT_DECLINED",
        "ADDRESS_UNSERVICEABLE",
        "ORDER_CANCELLED",
    }
)
"""The codes that the diagram catches; any other answer that is no success fails the job."""

router = ZeebeTaskRouter()
http = httpx.AsyncClient()
tokens = read_tokens()


async def command(method: str, service: str, path: str, key: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send one command to a participant and return its answer.

    Raises:
        BusinessError: it refuses.
        httpx.HTTPError: it cannot be asked, or answers something else.
    """
    url = f"{os.environ[f'{service.upper()}_URL']}{path}"
    headers = {**tokens.authorization(key.rpartition("/")[2]), "Idempotency-Key": f'"{key}"'}
    response = await http.request(method, url, json=body, headers=headers)
    if response.status_code in {HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}:
        problem = response.json()
        if problem["code"] in REFUSALS:
            raise BusinessError(problem["code"], problem["detail"])
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer


@router.task(task_type="accept-order")
async def accept_order(job: Job, orderId: str, customerId: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    claim = {"claimant": str(job.process_instance_key), "customerId": customerId, "items": items}
    answer = await command("PUT", "orders", f"/orders/{orderId}", f"{orderId}/accept-order", claim)
    return {"acceptance": {"total": answer["total"]}}


@router.task(task_type="cancel-order")
async def cancel_order(orderId: str) -> dict[str, Any]:
    answer = await command("DELETE", "orders", f"/orders/{orderId}", f"{orderId}/cancel-order")
    return {"orderCancellation": {"status": answer["status"]}}


@router.task(task_type="reserve-inventory")
async def reserve_inventory(orderId: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    key = f"{orderId}/reserve-inventory"
    answer = await command("PUT", "inventory", f"/reservations/{orderId}", key, {"items": items})
    return {"reservation": {"reservationId": answer["reservationId"]}}


@router.task(task_type="release-inventory")
async def release_inventory(orderId: str) -> dict[str, Any]:
    answer = await command("DELETE", "inventory", f"/reservations/{orderId}", f"{orderId}/release-inventory")
    return {"release": {"reservationId": answer["reservationId"]}}


@router.task(task_type="process-payment")
async def process_payment(orderId: str, card: str, acceptance: dict[str, Any]) -> dict[str, Any]:
    charge = {"amount": acceptance["total"], "card": card}
    answer = await command("PUT", "payment", f"/payments/{orderId}", f"{orderId}/process-payment", charge)
    return {"payment": {name: answer[name] for name in ("paymentId", "amount", "cardLastFour")}}


@router.task(task_type="refund-payment")
async def refund_payment(orderId: str) -> dict[str, Any]:
    answer = await command("DELETE", "payment", f"/payments/{orderId}", f"{orderId}/refund-payment")
    return {"refund": {name: answer[name] for name in ("paymentId", "refunded")}}


@router.task(task_type="ship-order")
async def ship_order(orderId: str, items: list[dict[str, Any]], shipTo: dict[str, Any]) -> dict[str, Any]:
    key = f"{orderId}/ship-order"
    await command("PUT", "orders", f"/orders/{orderId}/dispatch", key, {})
    parcel = {"items": items, "shipTo": shipTo}
    answer = await command("PUT", "shipping", f"/shipments/{orderId}", key, parcel)
    return {"shipment": {name: answer[name] for name in ("shipmentId", "trackingCode")}}


@router.task(task_type="cancel-shipment")
async def cancel_shipment(orderId: str) -> dict[str, Any]:
    answer = await command("DELETE", "shipping", f"/shipments/{orderId}", f"{orderId}/cancel-shipment")
    return {"shipmentCancellation": {"shipmentId": answer["shipmentId"]}}


@router.task(task_type="record-cancellation")
async def record_cancellation(orderId: str) -> dict[str, Any]:
    key = f"{orderId}/record-cancellation"
    answer = await command("PUT", "orders", f"/orders/{orderId}/cancellation", key, {})
    return {"cancellation": {"accepted": answer["accepted"]}}


async def main() -> None:
    """Work until the process is ended."""
    worker = ZeebeWorker(create_insecure_channel(grpc_address=os.environ["ZEEBE_ADDRESS"]))
    worker.include_router(router)
    async with http:
        await worker.work()


if __name__ == "__main__":
    asyncio.run(main())
