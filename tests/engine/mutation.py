"""Diagrams that were valid until something in them was changed."""

from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import strategies as st
from lxml import etree

from tests.engine.core.scenario import COMMON, LEAF, ORDER
from tests.stack import ROOT

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
SHIPPED = tuple(path.read_bytes() for path in sorted((ROOT / "bpmn").glob("*.bpmn")))
DIAGRAMS = (ORDER, COMMON, LEAF, *SHIPPED)
NAMES = (
    *("startEvent", "endEvent", "intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent", "serviceTask"),
    *("receiveTask", "userTask", "task", "callActivity", "exclusiveGateway", "parallelGateway", "eventBasedGateway"),
    *("subProcess", "sequenceFlow", "association", "messageEventDefinition", "timerEventDefinition", "transaction"),
    *("errorEventDefinition", "compensateEventDefinition", "terminateEventDefinition", "conditionExpression"),
    "multiInstanceLoopCharacteristics",
)
VALUES = (
    *("", " ", "true", "false", "=", "=1", "=null", "=[1, 2]", "=k", "=n", '="1"', "=assert(n, n != null)", "=(", "-1"),
    *("order", "leaf", "common", "a", "b", "start", "PT0S", "PT1S", "R/PT1S", "R3/PT0.01S", "2020-01-01T00:00:00Z"),
    *("P" + "9" * 30 + "Y", "=1/0", "=for i in 1..100000 return i", "x" * 1_000, "ä\u2028\U0001f600", "99999999999999"),
)
Mutation = Callable[[Random, Any], None]


def _elements(root: "etree._Element") -> "list[etree._Element]":
    """Return all elements but the root."""
    return [each for each in root.iter() if isinstance(each.tag, str) and each is not root]


def _remove(random: Random, root: "etree._Element") -> None:
    element = random.choice(_elements(root))
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)


def _move(random: Random, root: "etree._Element") -> None:
    element, place = random.choice(_elements(root)), random.choice(_elements(root))
    if element not in place.iterancestors() and element is not place:
        place.insert(random.randrange(len(place) + 1), element)


def _copy(random: Random, root: "etree._Element") -> None:
    element, place = random.choice(_elements(root)), random.choice(_elements(root))
    copied = etree.fromstring(etree.tostring(element, with_tail=False))
    if random.random() < 0.7:
        for each in copied.iter():
            if isinstance(each.tag, str) and each.get("id"):
                each.set("id", f"{each.get('id')}_{random.randrange(1000)}")
    place.append(copied)


def _rename(random: Random, root: "etree._Element") -> None:
    random.choice(_elements(root)).tag = BPMN + random.choice(NAMES)


def _change(random: Random, root: "etree._Element") -> None:
    elements = [each for each in _elements(root) if each.attrib]
    element = random.choice(elements)
    name = random.choice(sorted(element.attrib))
    other = random.choice(elements)
    element.set(name, random.choice([random.choice(VALUES), other.get(random.choice(sorted(other.attrib))) or ""]))


def _add(random: Random, root: "etree._Element") -> None:
    elements = [each for each in _elements(root) if each.attrib]
    other = random.choice(elements)
    name = random.choice(sorted(other.attrib))
    random.choice(elements).set(name, random.choice([other.get(name) or "", random.choice(VALUES)]))


def _drop(random: Random, root: "etree._Element") -> None:
    element = random.choice([each for each in _elements(root) if each.attrib])
    del element.attrib[random.choice(sorted(element.attrib))]


def _text(random: Random, root: "etree._Element") -> None:
    random.choice(_elements(root)).text = random.choice(VALUES)


MUTATIONS: tuple[Mutation, ...] = (_remove, _move, _copy, _rename, _change, _change, _add, _drop, _text)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a diagram with some mutations, or with some bytes of it changed."""
    random = draw(st.randoms(use_true_random=False))
    diagram = random.choice(DIAGRAMS)
    if random.random() < 0.1:
        changed = bytearray(diagram)
        for _ in range(random.randint(1, 3)):
            changed[random.randrange(len(changed))] = random.randrange(256)
        return bytes(changed)
    root = etree.fromstring(diagram)
    for _ in range(random.choice([1, 1, 2, 3, 5])):
        if not any(each.attrib for each in _elements(root)):
            break  # nothing is left to be changed
        random.choice(MUTATIONS)(random, root)
    return bytes(etree.tostring(root))
