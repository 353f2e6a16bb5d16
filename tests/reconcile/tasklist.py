"""What a person sees and does in Tasklist, in a real browser; and the same answer given without looking."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, Locator, Page, expect

from tests.world import eventually

PICTURES = Path(__file__).parents[1] / ".artifacts"
_PATIENCE_MS = 60_000
_LOGIN = {"username": "demo", "password": "demo"}


class Person:
    """Somebody who is logged in."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def task(self, context: str) -> Locator:
        """Return the task in the list that says so."""
        return self._page.get_by_role("link", name="task: Settle by hand").filter(has_text=context)

    async def open(self, context: str) -> Locator:
        """Open a task; return its form."""
        await self.task(context).click()
        form = self._page.locator(".fjs-form")
        await expect(form.get_by_role("heading", name=f"Order {context.split(maxsplit=1)[0]}")).to_be_visible()
        return form

    async def decide(self, form: Locator, decision: str, comment: str) -> None:
        """Take the open task, fill its form in and complete it."""
        await self._page.get_by_role("button", name="Assign to me").click()
        await form.get_by_text(decision).click()
        await form.get_by_role("textbox", name="Comment").fill(comment)
        await self._page.get_by_role("button", name="Complete Task").click()
        await expect(form).to_be_hidden()

    async def keep_picture(self, name: str) -> None:
        PICTURES.mkdir(exist_ok=True)
        await self._page.screenshot(path=PICTURES / f"tasklist-{name}.png")


@asynccontextmanager
async def person(browser: Browser, tasklist: str) -> AsyncIterator[Person]:
    """Log in to Tasklist, at its address."""
    context = await browser.new_context(viewport={"width": 1600, "height": 1000})
    context.set_default_timeout(_PATIENCE_MS)
    expect.set_options(timeout=_PATIENCE_MS)
    page = await context.new_page()
    await page.goto(tasklist)
    await page.get_by_role("textbox", name="Username").fill(_LOGIN["username"])
    await page.get_by_role("textbox", name="Password").fill(_LOGIN["password"])
    await page.get_by_role("button", name="Login").click()
    await expect(page.get_by_role("heading", name="All open tasks")).to_be_visible()
    yield Person(page)
    await context.close()


async def answer(tasklist: str, context: str, decision: str) -> int:
    """Complete the task that says so through Tasklist's REST API; return the key of its process instance."""
    async with httpx.AsyncClient(base_url=tasklist.removesuffix("/tasklist"), timeout=30.0) as http:
        (await http.post("/api/login", params=_LOGIN)).raise_for_status()

        async def found() -> list[dict[str, Any]]:
            tasks = (await http.post("/v1/tasks/search", json={"state": "CREATED"})).raise_for_status().json()
            return [task for task in tasks if task["context"] == context]

        [task] = await eventually(found, bool)
        way = f"/v1/tasks/{task['id']}"
        (await http.patch(f"{way}/assign", json={})).raise_for_status()
        variables = [{"name": "decision", "value": json.dumps(decision)}]
        (await http.patch(f"{way}/complete", json={"variables": variables})).raise_for_status()
    return int(task["processInstanceKey"])
