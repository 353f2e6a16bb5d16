"""docs/order-fulfillment.svg shows the diagram as it is."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from playwright.async_api import Browser

from bpmn import render
from bpmn.render import PICTURE

SVG = "{http://www.w3.org/2000/svg}"


def apart_from_fonts(picture: str) -> str:
    """The picture without the places and breaks of its lines of text: they depend on the machine's fonts."""
    root = ET.fromstring(picture)  # noqa: S314 — our own file
    for text in root.iter(f"{SVG}text"):
        lines = ("".join(line.itertext()) for line in text.iter(f"{SVG}tspan"))
        words = " ".join(" ".join(lines).split())  # A line may end with the blank at which it was broken.
        for line in list(text):
            text.remove(line)
        text.text = words
    return ET.canonicalize(ET.tostring(root, encoding="unicode"))


@pytest.mark.usefixtures("browser", "modules")
async def test_the_picture_in_docs_is_what_render_py_draws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn = tmp_path / "drawn.svg"
    monkeypatch.setattr(render, "PICTURE", drawn)
    await render.main()
    assert apart_from_fonts(PICTURE.read_text(encoding="utf-8")) == apart_from_fonts(
        drawn.read_text(encoding="utf-8")
    ), "the diagram has changed: run `python bpmn/render.py`"


async def test_drawing_the_same_diagram_twice_gives_the_same_bytes(browser: Browser, xml: str) -> None:
    assert await render.render(browser, xml) == await render.render(browser, xml)


def test_the_picture_has_a_light_ground_of_its_own_for_githubs_dark_mode() -> None:
    picture = PICTURE.read_text(encoding="utf-8")
    size = re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', picture)
    assert size
    x, y, width, height = size.groups()
    assert f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="white"/>' in picture
