"""What the tests of Operate's pages share."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from workers.addresses import Addresses

PATIENCE_MS = 60_000


@pytest.fixture
async def page(browser: Browser, addresses: Addresses) -> AsyncIterator[Page]:
    """A page of Operate, logged in as a person logs in."""
    context = await browser.new_context(viewport={"width": 1600, "height": 1000})
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    await page.goto(f"{addresses.operate}")
    await page.get_by_role("textbox", name="Username").fill("demo")
    await page.get_by_role("textbox", name="Password").fill("demo")
    await page.get_by_role("button", name="Login").click()
    await expect(page.get_by_role("link", name="Dashboard").first).to_be_visible(timeout=PATIENCE_MS)
    yield page
    await context.close()
