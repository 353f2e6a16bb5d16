"""XML without surprises: no DOCTYPE, no entity, and bounds for depth and size."""

import re
from functools import cache

from lxml import etree

from .findings import InvalidModelError

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
ZEEBE = "{http://camunda.org/schema/zeebe/1.0}"

MAX_BYTES = 4 * 1024 * 1024
"""Of a diagram."""
MAX_DEPTH = 256
"""Elements inside of each other that libxml2 reads, so that a diagram can be walked by recursion."""
_DOCTYPE = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


def parse_xml(content: bytes) -> etree._Element:
    """Return a BPMN document's root element.

    Raises:
        InvalidModelError: It is too large, too deep, has a DOCTYPE or an entity, or is not well-formed BPMN.
    """
    if len(content) > MAX_BYTES:
        message = f"It has {len(content)} bytes; at most {MAX_BYTES} are read."
        raise InvalidModelError(message)
    # UTF-16 would hide the declaration from a search of bytes; its text is looked at as UTF-8.
    if _DOCTYPE.search(content) or b"\x00" in content[:4]:
        message = "A document with a DOCTYPE or an entity, or one that is not UTF-8, is not read."
        raise InvalidModelError(message)
    try:
        root = etree.fromstring(content, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        message = f"It is not well-formed XML: {error}"
        raise InvalidModelError(message) from None
    if root.getroottree().docinfo.doctype:
        message = "A document with a DOCTYPE or an entity is not read."
        raise InvalidModelError(message)
    if root.tag != f"{BPMN}definitions":
        message = f"It is not a BPMN document: its root element is '{etree.QName(root).localname}', not 'definitions'."
        raise InvalidModelError(message)
    return root


@cache
def _parser() -> etree.XMLParser:
    # Without `huge_tree` elements are nested at most MAX_DEPTH deep.
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def local_name(element: etree._Element) -> str:
    """Return an element's name without its namespace."""
    return str(etree.QName(element).localname)


def children(element: etree._Element) -> list[etree._Element]:
    """Return the child elements; comments and processing instructions are none."""
    return [child for child in element if isinstance(child.tag, str)]


def extension(element: etree._Element, name: str) -> etree._Element | None:
    """Return the first extension element `zeebe:NAME`."""
    return element.find(f"{BPMN}extensionElements/{ZEEBE}{name}")
