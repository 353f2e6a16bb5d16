"""What an operator sees: Operate's own pages, in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect
from pyzeebe import ZeebeClient

from tests.operate.conftest import PATIENCE_MS
from workers.addresses import Addresses
from workers.operate import Operate

NewOrder = Callable[..., dict[str, Any]]
PICTURES = Path(__file__).parents[1] / ".artifacts"

STEPS = ("Task_AcceptOrder", "Task_ReserveInventory", "Task_ProcessPayment")
HANDLERS = ("Task_RefundPayment", "Task_ReleaseInventory", "Task_CancelOrder")


class InstancePage:
    """The page of one process instance, with the count of executions at each element of the diagram."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def open(self, address: str) -> None:
        await self._page.goto(address)
        # The page draws itself anew when the counts arrive, and forgets a switch that was pressed before.
        await expect(self._page.locator("[data-testid^=state-overlay]").first).to_be_visible(timeout=PATIENCE_MS)
        await self._page.get_by_text("Show Execution Count").click()

    async def expect_drawn(self, element: str) -> None:
        await expect(self._page.locator(f"[data-element-id={element}]").first).to_be_visible(timeout=PATIENCE_MS)

    async def expect_count(self, element: str, state: str, count: str) -> None:
        overlay = self._page.locator(f"[data-container-id={element}]").get_by_test_id(f"state-overlay-{state}")
        await expect(overlay).to_have_text(count, timeout=PATIENCE_MS)

    async def expect_untouched(self, element: str) -> None:
        await self.expect_drawn(element)
        await expect(self._page.locator(f"[data-container-id={element}]")).to_have_count(0)

    async def keep_picture(self, name: str) -> None:
        PICTURES.mkdir(exist_ok=True)
        await self._page.screenshot(path=PICTURES / f"operate-{name}.png")


async def test_a_compensated_order_is_drawn_with_its_handlers_completed(
    engine: ZeebeClient, operate: Operate, addresses: Addresses, page: Page, new_order: NewOrder
) -> None:
    order = new_order("address-unserviceable")
    result = await engine.run_process_with_result("order-fulfillment", order, timeout=60_000)
    await operate.path(result.process_instance_key)
    instance = InstancePage(page)
    await instance.open(addresses.instance_page(result.process_instance_key))
    for element in (*STEPS, *HANDLERS, "EndEvent_OrderCancelled"):
        await instance.expect_count(element, "completed", "1")
    await instance.expect_count("Task_ShipOrder", "canceled", "1")
    for element in ("Task_CancelShipment", "EndEvent_OrderFulfilled", "SubProcess_CustomerCancels"):
        await instance.expect_untouched(element)
    await expect(page.get_by_test_id("variable-refusal")).to_contain_text("ADDRESS_UNSERVICEABLE")
    await instance.keep_picture("compensated")


async def test_a_fulfilled_order_is_drawn_with_no_handler_touched(
    engine: ZeebeClient, operate: Operate, addresses: Addresses, page: Page, new_order: NewOrder
) -> None:
    result = await engine.run_process_with_result("order-fulfillment", new_order(), timeout=60_000)
    await operate.path(result.process_instance_key)
    instance = InstancePage(page)
    await instance.open(addresses.instance_page(result.process_instance_key))
    for element in (*STEPS, "Task_ShipOrder"):
        await instance.expect_count(element, "completed", "1")
    await instance.expect_count("EndEvent_OrderFulfilled", "completedEndEvents", "1")
    for element in (*HANDLERS, "SubProcess_UndoTheOrder"):
        await instance.expect_untouched(element)
    await expect(page.get_by_test_id("variable-shipment")).to_contain_text("trackingCode")
    await instance.keep_picture("fulfilled")
