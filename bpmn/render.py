#!/usr/bin/env python3
"""Draws docs/order-fulfillment.svg from bpmn/order-fulfillment.bpmn, as Camunda Modeler draws it.

    python bpmn/render.py

Needs Chromium and what `npm ci` puts into bpmn/node_modules.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright
from playwright.sync_api import sync_playwright

BPMN = Path(__file__).resolve().parent
DIAGRAM = BPMN / "order-fulfillment.bpmn"
PICTURE = BPMN.parent / "docs" / "order-fulfillment.svg"
MODULES = BPMN / "node_modules"

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def chromium() -> str | None:
    """The path of the machine's Chromium or Chrome, else of the one that Playwright downloaded; None without either."""
    own = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if own is not None:
        return own
    with sync_playwright() as playwright:
        downloaded = playwright.chromium.executable_path
    return downloaded if Path(downloaded).exists() else None


@asynccontextmanager
async def headless() -> AsyncIterator[Browser]:
    """A headless Chromium, closed at the end.

    Raises:
        FileNotFoundError: the machine has no Chromium.
    """
    if (path := await asyncio.to_thread(chromium)) is None:
        message = (
            f"no Chromium on the PATH (looked for {', '.join(_CHROMIUM)}); `playwright install chromium` brings one"
        )
        raise FileNotFoundError(message)
    # Chromium refuses to run its sandbox as root, as in a container.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def page_with(browser: Browser, bundle: str) -> AsyncIterator[Page]:
    """An empty page with one of bpmn-js's bundles, "bpmn-viewer" or "bpmn-modeler", as `BpmnJS`."""
    page = await browser.new_page(viewport={"width": 1400, "height": 900})
    try:
        await page.set_content("<body style='margin: 0; height: 900px'></body>")
        await page.add_script_tag(path=MODULES / "bpmn-js" / "dist" / f"{bundle}.production.min.js")
        yield page
    finally:
        await page.close()


async def render(browser: Browser, diagram: str) -> str:
    """The picture (SVG) of a diagram (BPMN 2.0 XML); draw.js says what it is like."""
    async with page_with(browser, "bpmn-viewer") as page:
        await page.add_script_tag(path=BPMN / "draw.js")
        return str(await page.evaluate("draw", diagram))


async def main() -> None:
    """Write the picture."""
    async with headless() as browser:
        PICTURE.write_text(await render(browser, DIAGRAM.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
