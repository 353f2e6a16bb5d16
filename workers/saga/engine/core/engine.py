"""The engine: one command at a time, each with all that follows from it."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from . import elements, follow_ups  # noqa: F401 - importing the kinds of elements registers how they behave
from .apply import apply
from .commands import handler_of
from .records import EVENT, NONE_KEY, Command, Fault, Record, Rejection, invalid, wrong_state
from .state import State
from .work import Observer, Work

MAX_FOLLOW_UPS = 100
"""Follow-up commands that are carried out before others have their turn."""
RESUMED = 20
"""Follow-up commands that `resume` carries out at most, in which time others have no turn."""
RECORDS = 10
"""Records for each follow-up command that may be carried out: where a few make more than all should, others have their
turn sooner."""
FORMAT = 1
"""Version of the records' format."""
_PARTITION = 1 << 51
_TIMED = {
    "JOB": ("JOB", "TIME_OUT"),
    "BACKOFF": ("JOB", "RECUR"),
    "MESSAGE": ("MESSAGE", "EXPIRE"),
    "TIMER": ("TIMER", "TRIGGER"),
}


@dataclass(slots=True)
class Answer:
    """What a command led to."""

    records: list[Record]
    """To be appended to the log, in this order."""
    response: dict[str, Any] | Rejection
    activatable: list[tuple[str, int]] = field(default_factory=list)
    """Jobs that have become activatable and may be pushed: (type, key)."""
    results: dict[int, str] = field(default_factory=dict)
    """Variables, as a JSON object, of ended instances whose result somebody waits for, by instance key."""


class Engine:
    """Turns commands into records. It is deterministic: same commands, times and seed, same records."""

    def __init__(self, *, zone: str = "UTC") -> None:
        """Start empty; `begin` or `replay` follows.

        Args:
            zone: Name of the time zone of expressions, as in tzdata.
        """
        self.state = State()
        self.position = 0
        """Position of the last record."""
        self.on_emit: Observer | None = None
        """Called with each record before it is applied; a test makes it raise."""
        self._zone = zone

    def begin(self, *, seed: int, first_key: int, now: int) -> list[Record]:
        """Begin a new log and return its first records.

        Args:
            seed: What chance in expressions comes from.
            first_key: The counter of the first key; keys are (1 << 51) + counter.
            now: Milliseconds since 1970.
        """
        value = {"seed": seed, "firstKey": _PARTITION + first_key, "format": FORMAT}
        record = Record(self.position + 1, NONE_KEY, NONE_KEY, now, EVENT, "ENGINE", "STARTED", value)
        self.replay(record)
        return [record]

    def replay(self, record: Record) -> None:
        """Take over a record of the log."""
        apply(self.state, record)
        self.position = record.position
        self.state.woken.clear()
        self.state.commit()

    def clock(self, now: int) -> int:
        """Return the engine's time for the machine's, both in milliseconds since 1970."""
        return now if self.state.tables.pinned == -1 else self.state.tables.pinned

    def process(self, command: Command, now: int) -> Answer:
        """Carry out a command with what follows from it.

        Args:
            command: What is asked for.
            now: The machine's time in milliseconds since 1970.
        """
        work = self._work()
        writable = _is_writable(command.value)
        work.begin(command if writable else Command(command.value_type, command.intent, command.key), self.clock(now))
        response = self._respond(work, command, writable=writable)
        return self._finish(work, response, MAX_FOLLOW_UPS)

    def has_pending(self) -> bool:
        """Tell whether follow-up commands have been left for `resume`."""
        return bool(self.state.tables.pending)

    def resume(self, now: int) -> Answer:
        """Go on with follow-up commands that had to wait for others."""
        del now  # They keep the time of the command that they follow from.
        return self._finish(self._work(), {}, RESUMED)

    def due(self, now: int) -> list[Command]:
        """Return the commands whose time has come; each has to be processed before the next call."""
        found = self.state.queues.due_until(self.clock(now))
        return [Command(*_TIMED[kind], key) for kind, key in found]

    def wait(self, now: int) -> float | None:
        """Return the milliseconds until something is due; None where nothing is, or the clock stands still."""
        due = self.state.queues.next_due()
        if due is None:
            return None
        left = due - self.clock(now)
        return max(0, left) if left <= 0 or self.state.tables.pinned == -1 else None

    def size(self) -> int:
        """Return how many elements are alive, which is what a snapshot costs."""
        return len(self.state.tables.elements)

    def snapshot(self) -> bytes:
        """Return the state; with the records after `position` it is the whole."""
        return self.state.dump()

    def restore(self, data: bytes, position: int) -> None:
        """Take over a snapshot that was taken at `position`."""
        self.state.load(data)
        self.position = position

    def digest(self) -> str:
        """Return the SHA-256 of the state."""
        return self.state.digest()

    def _work(self) -> Work:
        return Work(self.state, self._zone, self.position, self.on_emit)

    @staticmethod
    def _respond(work: Work, command: Command, *, writable: bool) -> dict[str, Any] | Rejection:
        mark = work.mark()
        try:
            if not writable:
                message = "Expected text of Unicode characters, but there is half of a surrogate pair in it"
                raise invalid(message)  # noqa: TRY301 - one way for every rejection
            handler = handler_of(command)
            if handler is None:
                message = f"The engine does not know the command {command.value_type} {command.intent}"
                raise invalid(message)  # noqa: TRY301 - one way for every rejection
            return handler(work, command)
        except Rejection as refused:
            rejection = refused
        except Exception as error:  # noqa: BLE001 - a bug of ours must not leave half a command behind
            rejection = _bug(error)
        rejection.intent = command.intent
        work.rollback(mark)
        work.reject(command.value_type, command.intent, command.key, rejection)
        return rejection

    def _finish(self, work: Work, response: dict[str, Any] | Rejection, most: int) -> Answer:
        for _ in range(most):
            position = next(iter(self.state.tables.pending), None)
            if position is None or len(work.records) >= most * RECORDS:
                break
            _follow_up(work, position)
        self.position = work.position
        woken, self.state.woken = self.state.woken, []
        self.state.commit()
        results = {
            record.key: record.value["variables"]
            for record in work.records
            if record.value_type == "PROCESS_INSTANCE_RESULT"
        }
        return Answer(work.records, response, woken, results)


def _is_writable(value: dict[str, Any]) -> bool:
    """Tell whether a command can stand in the log: half of a surrogate pair, which JSON can name, cannot."""
    try:
        msgspec.msgpack.encode(value)
    except UnicodeEncodeError:
        return False
    return True


def _follow_up(work: Work, position: int) -> None:
    pending = work.state.tables.pending[position]
    command = Command("PROCESS_INSTANCE", pending.intent, pending.key, pending.value)
    work.go_on(position, pending.timestamp)
    mark, before = work.mark(), work.position
    try:
        follow_ups.carry_out(work, command)
        if work.position == before:
            # It would stay pending for ever: only a record that it has caused shows that it was carried out.
            message = f"The element instance with key '{pending.key}' has nothing to do for it any more"
            raise wrong_state(message)  # noqa: TRY301 - one way for every rejection
    except Rejection as refused:
        work.rollback(mark)
        work.reject("PROCESS_INSTANCE", pending.intent, pending.key, refused)
    except Exception as error:  # noqa: BLE001 - a bug of ours must not leave half a step behind
        work.rollback(mark)
        bug = _bug(error)
        work.reject("PROCESS_INSTANCE", pending.intent, pending.key, bug)
        about = pending.key if pending.key != NONE_KEY else pending.value["flowScopeKey"]
        instance = work.state.tables.elements.get(about)
        if instance is not None:
            # Tokens that the command has taken from a parallel gateway are taken once.
            value = {name: each for name, each in pending.value.items() if name != "joined"}
            failed = {"intent": pending.intent, "key": pending.key, "value": value}
            work.incident(instance, Fault("UNKNOWN", bug.reason), followUp=failed)


def _bug(error: Exception) -> Rejection:
    # The text of an error of ours may quote a variable's value; its type and place do not.
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else ""
    return Rejection(
        "PROCESSING_ERROR", f"The engine failed: {type(error).__name__}{where}. This is a bug of the engine"
    )
