"""Functions that relate points and ranges. A point is like a closed range from itself to itself."""

# ruff: noqa: TID252 - relative, so that one rename moves the package

from collections.abc import Callable
from typing import Any

from ..scope import Invalid, Run
from ..values import Range, compare
from .base import ANY, Builtin, builtin


def _order(run: Run, left: object, right: object) -> int:
    order = compare(left, right)
    if order is None:
        message = f"Can't compare '{run.quote(left)}' with '{run.quote(right)}'"
        raise Invalid(message)
    return order


def _range(value: object) -> Range:
    return value if isinstance(value, Range) else Range(value, value, start_closed=True, end_closed=True)


def _before(run: Run, left: Range, right: Range) -> bool:
    order = _order(run, left.end, right.start)
    return order < 0 or (order == 0 and not (left.end_closed and right.start_closed))


def _meets(run: Run, left: Range, right: Range) -> bool:
    return left.end_closed and right.start_closed and _order(run, left.end, right.start) == 0


def _overlaps(run: Run, left: Range, right: Range) -> bool:
    return not _before(run, left, right) and not _before(run, right, left)


def _same_start(run: Run, left: Range, right: Range) -> bool:
    return left.start_closed == right.start_closed and _order(run, left.start, right.start) == 0


def _same_end(run: Run, left: Range, right: Range) -> bool:
    return left.end_closed == right.end_closed and _order(run, left.end, right.end) == 0


def _starts_first(run: Run, left: Range, right: Range) -> bool:
    order = _order(run, left.start, right.start)
    return order < 0 or (order == 0 and left.start_closed and not right.start_closed)


def _ends_first(run: Run, left: Range, right: Range) -> bool:
    order = _order(run, left.end, right.end)
    return order < 0 or (order == 0 and right.end_closed and not left.end_closed)


def _overlaps_before(run: Run, left: Range, right: Range) -> bool:
    return _overlaps(run, left, right) and _starts_first(run, left, right) and not _ends_first(run, right, left)


def _includes(run: Run, left: Range, right: Range) -> bool:
    return not _starts_first(run, right, left) and not _ends_first(run, left, right)


def _finishes(run: Run, left: Range, right: Range) -> bool:
    return _same_end(run, left, right) and _includes(run, right, left)


def _starts(run: Run, left: Range, right: Range) -> bool:
    return _same_start(run, left, right) and _includes(run, right, left)


def _coincides(run: Run, left: Range, right: Range) -> bool:
    return _same_start(run, left, right) and _same_end(run, left, right)


Relation = Callable[[Run, Range, Range], bool]


def _relate(relation: Relation, points: tuple[bool, bool], *, swap: bool) -> Callable[[Run, Any, Any], bool]:
    first, second = points

    def call(run: Run, left: Any, right: Any) -> bool:  # noqa: ANN401 - any FEEL value
        if (isinstance(left, Range) or first) and (isinstance(right, Range) or second):
            ranges = _range(left), _range(right)
            return relation(run, *reversed(ranges)) if swap else relation(run, *ranges)
        raise Invalid

    return call


def _functions(name: str, relation: Relation, *, points: tuple[bool, bool], swap: bool = False) -> tuple[Builtin, ...]:
    """Describe all signatures; `points` says which of the arguments may be a point."""
    call = _relate(relation, points, swap=swap)
    names = [("range1", "range2")]
    if all(points):
        names.append(("point1", "point2"))
    if points[1]:
        names.append(("range", "point"))
    if points[0]:
        names.append(("point", "range"))
    return tuple(builtin(name, call, **{first: ANY, second: ANY}) for first, second in names)


FUNCTIONS: tuple[Builtin, ...] = (
    *_functions("before", _before, points=(True, True)),
    *_functions("after", _before, points=(True, True), swap=True),
    *_functions("meets", _meets, points=(False, False)),
    *_functions("met by", _meets, points=(False, False), swap=True),
    *_functions("overlaps", _overlaps, points=(False, False)),
    *_functions("overlaps before", _overlaps_before, points=(False, False)),
    *_functions("overlaps after", _overlaps_before, points=(False, False), swap=True),
    *_functions("finishes", _finishes, points=(True, False)),
    *_functions("finished by", _finishes, points=(False, True), swap=True),
    *_functions("includes", _includes, points=(False, True)),
    *_functions("during", _includes, points=(True, False), swap=True),
    *_functions("starts", _starts, points=(True, False)),
    *_functions("started by", _starts, points=(False, True), swap=True),
    *_functions("coincides", _coincides, points=(True, True)),
)
