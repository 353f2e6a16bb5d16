"""What an operator does at night: mend the variable that an incident names, and retry it, by Operate's own buttons."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from playwright.async_api import Page, expect

from tests.operate.conftest import PATIENCE_MS
from tests.process.test_paths import ACCEPTED, CHARGED, DISPATCHED, RESERVED, SHIPPED
from tests.standing import Standing
from tests.world import Effects, World, eventually
from workers.addresses import Addresses
from workers.operate import Operate


async def test_a_mended_variable_and_a_retry_on_the_instances_page_carry_the_order_out(
    page: Page,
    addresses: Addresses,
    standing: Standing,
    operate: Operate,
    world: World,
    new_order: Callable[..., dict[str, Any]],
) -> None:
    order = new_order()
    [instance] = await standing.at_shipping(order, ship_to={**order["shipTo"], "country": "Germany"})
    await page.goto(addresses.instance_page(instance))

    await page.get_by_role("button", name="View 1 Incident in Instance").click()
    await expect(page.get_by_text("shipTo.country: String should match pattern").first).to_be_visible()
    await expect(page.get_by_text("Germany")).to_have_count(1)  # where it belongs: among the variables

    await page.get_by_role("button", name="Edit variable shipTo").click()
    await page.get_by_test_id("edit-variable-value").fill(json.dumps(order["shipTo"]))
    await page.get_by_role("button", name="Save variable").click()
    variable = page.get_by_test_id("variable-shipTo")
    await expect(variable).not_to_contain_text("Germany", timeout=PATIENCE_MS)
    await expect(page.get_by_test_id("variable-operation-spinner")).to_have_count(0, timeout=PATIENCE_MS)

    await page.get_by_role("button", name="Retry Incident").click()
    effects = await eventually(partial(world.effects, order["orderId"]), lambda seen: seen.shipped == 3)
    assert effects == Effects("shipping", 1, "dispatch", effects.total, 3, 0, effects.total or -1, 0, 3)
    assert await world.events(order["orderId"]) == [ACCEPTED, RESERVED, CHARGED, DISPATCHED, SHIPPED]
    assert [node.name for node in await operate.path(instance)][-1] == "Order fulfilled"
    await standing.healed(instance)
