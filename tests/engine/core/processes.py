"""Random valid processes of all elements that the engine runs."""

from dataclasses import dataclass, field
from random import Random

from tests.engine.drawing import (
    awaits,
    boundary,
    call,
    catch,
    compensate,
    condition,
    draw,
    element,
    end,
    error,
    error_boundary,
    error_start,
    event_subprocess,
    gateway,
    handler,
    inside,
    loop,
    mapping,
    message,
    message_boundary,
    message_start,
    start,
    subprocess,
    task,
    timer,
    undone_by,
    user_task,
)

PROCESSES = ("p0", "p1")
"""Ids of the processes; any may call any."""
TYPES = ("t0", "t1", "t2")
MESSAGES = ("m0", "m1", "m2")
ERRORS = ("E0", "E1")
OPENING = "open"
"""The message that starts an instance."""
_BESIDE = "".join(
    [*(message(name, "=k") for name in MESSAGES), *(error(code) for code in ERRORS), message(OPENING)],
)
_DEEPEST = 2
_CONDITIONS = ("=n > 1", "=flag", "=true", "=false", '=k = "1"')
_LISTS = ("=items", "=[1, 2]", "=[]", "=[[1], null]", "=if flag then items else [n]")
_TIMERS = (("duration", "PT1S"), ("duration", "=wait"), ("date", "1970-01-01T00:20:00Z"), ("duration", "PT0S"))
_MAPPINGS = (
    "",
    "",
    "",
    mapping({"local": "=n"}, {"out": "=local"}),
    mapping(outputs={"n": "=n + 1"}),
    mapping({"a.b": "=k", "c": "=a"}),
    mapping({"n": "=assert(n, n != null)"}),
    mapping(outputs={"x": "=assert(r, r != null)"}),
)
_ENDS = (
    *("", "", "", "", '<bpmn:terminateEventDefinition id="term-ID" />'),
    *(f'<bpmn:errorEventDefinition id="throws-ID" errorRef="{code}" />' for code in ERRORS),
)


@dataclass
class _Scope:
    """What is drawn into one scope."""

    depth: int
    elements: dict[str, str] = field(default_factory=dict)
    flows: list[str] = field(default_factory=list)
    undoable: list[str] = field(default_factory=list)
    """Activities that can be undone."""

    def flow(self, source: str, target: str) -> None:
        self.flows.append(f"{source} > {target}")


class Artist:
    """Draws one process."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._number = 0
        self._left = 9
        """Blocks that may still be drawn; then only plain activities are."""

    def draw(self, process: str) -> bytes:
        """Draw a process with at least a none start event."""
        scope = _Scope(0)
        first, last = self._sequence(scope)
        self._start(scope, first, start())
        if self._chance(4):
            self._start(scope, first, start(message=OPENING))
        if self._chance(6):
            value = self.random.choice(("R2/PT5S", "R1/PT1S"))
            self._start(scope, first, element("startEvent", content=timer("cycle", value)))
        self._end(scope, last)
        self._event_subprocesses(scope)
        return draw(process, "; ".join(scope.flows), _BESIDE, **scope.elements)

    def _start(self, scope: _Scope, first: str, drawn: str) -> None:
        identity = self._add(scope, "start", drawn)
        scope.flow(identity, first)

    def _end(self, scope: _Scope, last: str) -> None:
        kind = self.random.randrange(12)
        if kind == 0:
            drawn = compensate(kind="endEvent")
        elif kind == 1:
            drawn = _job("endEvent", self._type(), '<bpmn:messageEventDefinition id="sends-ID" messageRef="m0" />')
        else:
            drawn = end(content=self.random.choice(_ENDS), extensions="")
        scope.flow(last, self._add(scope, "end", drawn))

    def _chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    def _type(self) -> str:
        return self.random.choice(TYPES)

    def _id(self, kind: str) -> str:
        self._number += 1
        return f"{kind}{self._number}"

    def _add(self, scope: _Scope, kind: str, drawn: str) -> str:
        identity = self._id(kind)
        # Definitions inside of an element are named after it.
        scope.elements[identity] = drawn.replace("-ID", f"-{identity}")
        return identity

    def _sequence(self, scope: _Scope) -> tuple[str, str]:
        """Draw some blocks one after the other; return the first and the last element."""
        first, last = self._block(scope)
        for _ in range(self.random.choice((0, 0, 1, 1, 2))):
            begin, finish = self._block(scope)
            scope.flow(last, begin)
            last = finish
        return first, last

    def _block(self, scope: _Scope) -> tuple[str, str]:
        self._left -= 1
        if self._left < 0:
            return self._activity(scope)
        choices = (self._activity, self._activity, self._activity, self._event, self._choice, self._fork, self._race)
        return self.random.choice(choices)(scope)

    def _choice(self, scope: _Scope) -> tuple[str, str]:
        """Draw an exclusive gateway with two ways, which meet; one may lead back."""
        join = self._add(scope, "join", gateway())
        (one, one_end), (other, other_end) = self._sequence(scope), self._sequence(scope)
        split = self._add(scope, "split", gateway(other))
        scope.elements[split] = scope.elements[split].replace('"ID-', f'"{split}-')
        scope.elements[self._id("when")] = condition(split, one, self.random.choice(_CONDITIONS))
        scope.flow(split, other)
        scope.flow(one_end, join)
        if self._chance(3):
            # Around again, until the condition is false.
            scope.flow(other_end, split)
        else:
            scope.flow(other_end, join)
        return split, join

    def _fork(self, scope: _Scope) -> tuple[str, str]:
        split, join = (self._add(scope, name, element("parallelGateway")) for name in ("fork", "meet"))
        for _ in range(self.random.choice((2, 2, 3))):
            first, last = self._block(scope) if self._chance(2) else self._activity(scope)
            scope.flow(split, first)
            scope.flow(last, join)
        return split, join

    def _race(self, scope: _Scope) -> tuple[str, str]:
        split, join = self._add(scope, "race", element("eventBasedGateway")), self._add(scope, "won", gateway())
        names = self.random.sample(MESSAGES, self.random.choice((1, 2)))
        events = [catch(awaits(name).replace('id="', 'id="x-ID')) for name in names]
        events.append(catch(timer(*self.random.choice(_TIMERS))))
        for drawn in events:
            event = self._add(scope, "event", drawn)
            scope.flow(split, event)
            scope.flow(event, join)
        return split, join

    def _event(self, scope: _Scope) -> tuple[str, str]:
        kind = self.random.randrange(5)
        if kind == 0:
            drawn = catch(awaits(self.random.choice(MESSAGES)))
        elif kind == 1:
            drawn = catch(timer(*self.random.choice(_TIMERS)), self.random.choice(_MAPPINGS))
        elif kind == 2:
            drawn = compensate(self.random.choice(scope.undoable) if scope.undoable and self._chance(2) else "")
        elif kind == 3:
            content = '<bpmn:messageEventDefinition id="sends-ID" messageRef="m0" />'
            drawn = _job("intermediateThrowEvent", self._type(), content)
        else:
            drawn = element("intermediateThrowEvent")
        event = self._add(scope, "event", drawn)
        return event, event

    def _activity(self, scope: _Scope) -> tuple[str, str]:
        drawn = self._loop(self._plain(scope)) if self._chance(5) else self._plain(scope)
        activity = self._add(scope, "a", drawn)
        if self._chance(3):
            self._make_undoable(scope, activity)
        for drawn in self._boundaries(activity):
            self._path(scope, self._add(scope, "on", drawn), activity)
        return activity, activity

    def _plain(self, scope: _Scope) -> str:
        kind = self.random.randrange(14)
        extra = self.random.choice(_MAPPINGS)
        simple = {
            0: lambda: element("manualTask", extensions=extra),
            1: lambda: element("task", extensions=extra),
            2: lambda: element("receiveTask", attributes=f'messageRef="{self.random.choice(MESSAGES[:2])}"'),
            3: lambda: user_task(extensions=extra),
            4: lambda: call(self.random.choice(PROCESSES), extensions=extra),
            5: lambda: call("=if flag then k else p", extensions=extra),
            6: lambda: _job(self.random.choice(("sendTask", "scriptTask", "businessRuleTask")), self._type()),
        }
        if kind in {7, 8} and scope.depth < _DEEPEST and self._left > 0:
            return self._subprocess(scope.depth + 1)
        return simple.get(kind, lambda: task(self._type(), retries=self.random.choice("123"), extensions=extra))()

    def _loop(self, drawn: str) -> str:
        items = self.random.choice(_LISTS).replace('"', "&quot;")
        if self._chance(2):
            return loop(drawn, items, "item", self.random.choice(("=r", "=item", "=r.x")), "all")
        return loop(drawn, items)

    def _subprocess(self, depth: int) -> str:
        scope = _Scope(depth)
        first, last = self._sequence(scope)
        self._start(scope, first, start())
        self._end(scope, last)
        self._event_subprocesses(scope)
        return subprocess(inside("; ".join(scope.flows), **scope.elements))

    def _make_undoable(self, scope: _Scope, activity: str) -> None:
        undo = self._id("undo")
        scope.elements[undo] = self.random.choice(
            (handler(self._type()), element("manualTask", attributes='isForCompensation="true"'))
        )
        scope.elements |= undone_by(activity, undo)
        scope.undoable.append(activity)

    def _boundaries(self, activity: str) -> list[str]:
        drawn = []
        if self._chance(4):
            drawn.append(error_boundary(activity, self.random.choice((*ERRORS, ""))))
        if self._chance(6):
            interrupting = self._chance(2)
            drawn.append(message_boundary(activity, "m2", interrupting=interrupting))
        if self._chance(6):
            drawn.append(boundary(activity, timer(*self.random.choice(_TIMERS)), interrupting=self._chance(2)))
        if self._chance(10):
            drawn.append(boundary(activity, timer("cycle", "R2/PT1S"), interrupting=False))
        return drawn

    def _path(self, scope: _Scope, event: str, activity: str) -> None:
        """Draw what comes after a boundary event: nothing, an end, or the activity again."""
        way = self.random.randrange(4)
        if way == 0:
            return
        if way == 1:
            scope.flow(event, activity)
        elif way == 2:
            self._end(scope, event)
        else:
            after = self._add(scope, "a", task(self._type()))
            scope.flow(event, after)

    def _event_subprocesses(self, scope: _Scope) -> None:
        starts = []
        if self._chance(4):
            starts.append(error_start(self.random.choice((*ERRORS, ""))))
        if self._chance(5):
            starts.append(message_start("m1", interrupting=self._chance(2)))
        if self._chance(7):
            starts.append(element("startEvent", content=timer(*self.random.choice(_TIMERS))))
        if self._chance(9):
            cycle = element("startEvent", attributes='isInterrupting="false"', content=timer("cycle", "R2/PT1S"))
            starts.append(cycle)
        for drawn in starts:
            within = _Scope(scope.depth + 1, undoable=list(scope.undoable))
            first, last = self._block(within)
            self._start(within, first, drawn)
            self._end(within, last)
            content = inside("; ".join(within.flows), **within.elements)
            scope.elements[self._id("sub")] = event_subprocess(content)


def _job(name: str, job_type: str, content: str = "") -> str:
    return element(name, extensions=f'<zeebe:taskDefinition type="{job_type}" />', content=content)
