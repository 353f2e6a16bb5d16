"""The table of verdicts, whole: what is undone, kept, waited for, and given to a person."""

import itertools

import pytest

from saga.operations.reconcile.verdict import Element, Instance, Verdict, verdict

KEEP, UNDO, WAIT, ASK = Verdict.KEEP, Verdict.UNDO, Verdict.WAIT, Verdict.ASK
TABLE = {
    #                   active  completed  terminated  unknown
    Instance.ACTIVE: (WAIT, WAIT, UNDO, WAIT),
    Instance.COMPLETED: (WAIT, KEEP, UNDO, WAIT),
    Instance.TERMINATED: (UNDO, UNDO, UNDO, UNDO),
    Instance.LOST: (UNDO, UNDO, UNDO, UNDO),
    Instance.UNKNOWN: (ASK, ASK, ASK, ASK),
}
CELLS = [(instance, *cell) for instance, row in TABLE.items() for cell in zip(Element, row, strict=True)]


@pytest.mark.parametrize(("instance", "element", "expected"), CELLS)
def test_an_effect_that_can_be_undone(instance: Instance, element: Element, expected: Verdict) -> None:
    assert verdict(instance, element, has_undo=True) is expected


@pytest.mark.parametrize(("instance", "element"), list(itertools.product(Instance, Element)))
def test_a_record_is_kept_or_waited_for_and_never_undone_nor_asked_about(instance: Instance, element: Element) -> None:
    with_undo = verdict(instance, element, has_undo=True)
    assert verdict(instance, element, has_undo=False) is (WAIT if with_undo is WAIT else KEEP)
