"""The same commands make the same records: for random processes, wherever the engine was restored, in any process."""

import json
from collections.abc import Callable, Iterator
from random import Random, SystemRandom
from typing import Any

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from tests.amount import portions
from tests.engine.core.bench import START, activation, creation, modification
from tests.engine.core.conftest import assert_same
from tests.engine.core.invariants import check
from tests.engine.core.processes import ERRORS, MESSAGES, OPENING, PROCESSES, TYPES, Artist
from tests.engine.core.session import Peer, Session, bounded

DOCUMENTS = ("{}", '{"r": 1}', '{"r": {"x": 2}, "n": 3}', '{"flag": true, "n": 0}', '{"k": "2", "items": [3]}')
KEYS = ("1", "2")


class Player:
    """Asks for what chance says, much of which is refused."""

    def __init__(self, random: Random, session: Session) -> None:
        self.random = random
        self.session = session
        self.now = START
        self.moves: tuple[tuple[str, Callable[[], None]], ...] = (
            *[("jobs", self.complete)] * 6,
            *[
                ("jobs", self.activate),
                ("jobs", self.activate),
                ("jobs", self.fail),
                ("jobs", self.throw),
                ("jobs", self.throw),
            ],
            *[("subscriptions", self.publish), ("subscriptions", self.correlate), ("", self.publish)],
            *[("incidents", self.resolve)] * 3,
            *[("user_tasks", self.user_task)] * 2,
            *[("timers", self.wait), ("", self.wait), ("elements", self.set_variables), ("elements", self.modify)],
            *[("", self.create), ("", self.start_at), ("elements", self.cancel), ("", self.rarely)],
        )

    def move(self) -> None:
        """Do something to what there is, now and then something that is refused."""
        tables = self.session.engine.state.tables
        moves = [move for table, move in self.moves if not table or getattr(tables, table)]
        everything = self.random.randrange(12) == 0
        self.random.choice([move for _, move in self.moves] if everything else moves)()

    def send(self, value_type: str, intent: str, key: int = -1, **value: Any) -> None:  # noqa: ANN401 - any command
        command = {"value_type": value_type, "intent": intent, "key": key, "value": value}
        self.session.do(("command", self.now, command))

    def pick(self, table: str) -> int:
        keys = sorted(getattr(self.session.engine.state.tables, table))
        return self.random.choice(keys) if keys else 4242

    def instance(self) -> int:
        elements = self.session.engine.state.tables.elements
        keys = sorted(key for key, found in elements.items() if found.scope == -1)
        return self.random.choice(keys) if keys else 4242

    def element_id(self) -> str:
        definitions = self.session.engine.state.tables.definitions
        if not definitions:
            return "nothing"
        resource = definitions[self.random.choice(sorted(definitions))].resource.decode()
        identities = [each.partition('"')[0] for each in resource.split(' id="')[1:]]
        tasks = [each for each in identities if each[0] == "a" and each[1:].isdecimal()]
        return self.random.choice(tasks if tasks and self.random.randrange(3) else identities)

    def deploy(self) -> None:
        artist = Artist(self.random)
        resources = [{"resourceName": f"{name}.bpmn", "resource": artist.draw(name)} for name in PROCESSES]
        self.send("DEPLOYMENT", "CREATE", resources=resources)

    def create(self, starts: list[str] | None = None) -> None:
        variables: dict[str, Any] = {"k": self.random.choice(KEYS), "n": self.random.randrange(4), "wait": "PT2S"}
        variables |= {"flag": self.random.choice([True, False]), "items": list(range(self.random.randrange(6)))}
        variables["p"] = self.random.choice(PROCESSES)
        if self.random.randrange(5) == 0:
            del variables[self.random.choice(sorted(variables))]
        intent = self.random.choice(("CREATE", "CREATE_WITH_AWAITING_RESULT"))
        value = creation(self.random.choice(PROCESSES), starts=starts, variables=json.dumps(variables))
        self.send("PROCESS_INSTANCE_CREATION", intent, **value)

    def start_at(self) -> None:
        self.create([self.element_id() for _ in range(self.random.choice((1, 2)))])

    def complete(self) -> None:
        self.send("JOB", "COMPLETE", self.pick("jobs"), variables=self.random.choice(DOCUMENTS))

    def fail(self) -> None:
        retries, backoff = self.random.choice(((0, 0), (1, 0), (2, 500)))
        value: dict[str, Any] = {"retries": retries, "retryBackoff": backoff, "errorMessage": "x"}
        self.send("JOB", "FAIL", self.pick("jobs"), **value, variables=self.random.choice(DOCUMENTS))

    def throw(self) -> None:
        code = self.random.choice((*ERRORS, "other"))
        self.send("JOB", "THROW_ERROR", self.pick("jobs"), errorCode=code, errorMessage="", variables='{"e": 1}')

    def activate(self) -> None:
        job = self.session.engine.state.tables.jobs.get(self.pick("jobs"))
        job_type = self.random.choice(TYPES) if job is None else job.type
        value: dict[str, Any] = {"type": job_type, "worker": "w", "timeout": 700}
        self.send("JOB_BATCH", "ACTIVATE", **value, maxJobsToActivate=self.random.choice((1, 5)), fetchVariables=[])

    def _message(self) -> dict[str, Any]:
        name, key = self.random.choice((*MESSAGES, OPENING)), self.random.choice(KEYS)
        subscriptions = self.session.engine.state.tables.subscriptions
        if subscriptions and self.random.randrange(3):
            awaited = subscriptions[self.random.choice(sorted(subscriptions))]
            name, key = awaited.name, awaited.correlation_key
        return {"name": name, "correlationKey": key, "variables": self.random.choice(DOCUMENTS)}

    def publish(self) -> None:
        times: dict[str, Any] = {
            "messageId": self.random.choice(("", "i")),
            "timeToLive": self.random.choice((0, 1500)),
        }
        self.send("MESSAGE", "PUBLISH", **self._message(), **times)

    def correlate(self) -> None:
        self.send("MESSAGE_CORRELATION", "CORRELATE", **self._message())

    def resolve(self) -> None:
        key = self.pick("incidents")
        found = self.session.engine.state.tables.incidents.get(key)
        if found is not None and found.job != -1:
            self.send("JOB", "UPDATE_RETRIES", found.job, retries=1)
        self.send("INCIDENT", "RESOLVE", key)

    def user_task(self) -> None:
        key = self.pick("user_tasks")
        match self.random.randrange(5):
            case 0:
                self.send("USER_TASK", "ASSIGN", key, assignee="ann")
            case 1:
                self.send("USER_TASK", "UPDATE", key, changeset={"priority": 7, "candidateUsers": ["b", "a"]})
            case _:
                self.send("USER_TASK", "COMPLETE", key, variables=self.random.choice(DOCUMENTS))

    def wait(self) -> None:
        self.now += self.random.choice((1, 800, 2_000, 10_000))
        self.session.do(("due", self.now, {}))

    def set_variables(self) -> None:
        semantics = self.random.choice(("LOCAL", "PROPAGATE"))
        value: dict[str, Any] = {"variables": self.random.choice(DOCUMENTS), "updateSemantics": semantics}
        self.send("VARIABLE_DOCUMENT", "UPDATE", scopeKey=self.pick("elements"), **value)

    def modify(self) -> None:
        activate = [activation(self.element_id()) for _ in range(self.random.randrange(3))]
        terminate = (self.pick("elements"),) if self.random.randrange(2) else ()
        value = modification(*activate, terminate=terminate)
        self.send("PROCESS_INSTANCE_MODIFICATION", "MODIFY", self.instance(), **value)

    def cancel(self) -> None:
        self.send("PROCESS_INSTANCE", "CANCEL", self.instance())

    def rarely(self) -> None:
        match self.random.randrange(6):
            case 0:
                self.deploy()
            case 1:
                self.send("RESOURCE_DELETION", "DELETE", resourceKey=self.pick("definitions"))
            case 2:
                self.send("CLOCK", "PIN", time=self.now + self.random.choice((-5_000, 0, 5_000)))
            case 3:
                self.send("CLOCK", "RESET")
            case 4:
                self.send("JOB", "YIELD", self.pick("jobs"))
            case _:
                self.send("JOB", "UPDATE", self.pick("jobs"), timeout=300, retries=2)

    def go_on(self) -> None:
        self.session.do(("resume", self.now, {}))

    def reload(self) -> None:
        """Go on with a state that was read; the other process does not."""
        self.random.choice((self.session.restore, self.session.replay))()

    def finish(self) -> None:
        """Let nothing be left over."""
        while self.session.engine.has_pending():
            self.go_on()


def play(random: Random, peer: Peer) -> None:
    """Draw processes and commands, look at the state after each, and let another process do the same."""
    follow_ups = random.choice((100, 100, 3))
    session = Session()
    player = Player(random, session)
    with bounded(follow_ups):
        player.deploy()
        assert session.engine.state.tables.definitions, session.log[-1].rejection_reason
        for _ in range(random.choice((1, 2, 3))):
            player.create()
        for _ in range(random.randrange(4, 20)):
            player.move()
            if random.randrange(6) == 0:
                player.reload()
            if follow_ups == 100:
                player.finish()
                check(session.engine.state)
            elif session.engine.has_pending():
                player.go_on()
        player.finish()
        check(session.engine.state)
        end(player)
    peer.compare(session, follow_ups)


def end(player: Player) -> None:
    """Look at the log; then let all time pass, cancel all that is left, and see that nothing stays."""
    session = player.session
    bugs = [record.rejection_reason for record in session.log if record.rejection_type == "PROCESSING_ERROR"]
    assert bugs == []
    lived = session.engine
    player.reload()
    assert_same(lived, session.engine)
    player.send("CLOCK", "RESET")
    player.now += 10**9
    for _ in range(3):
        session.do(("due", player.now, {}))
        player.finish()
    tables = session.engine.state.tables
    while tables.elements:
        root = min(key for key, found in tables.elements.items() if found.scope == -1 and found.parent == -1)
        player.send("PROCESS_INSTANCE", "CANCEL", root)
        player.finish()
        check(session.engine.state)
    tables.timers = {key: timer for key, timer in tables.timers.items() if timer.element != -1}
    for table in ("variables", "jobs", "incidents", "subscriptions", "compensations", "user_tasks", "results"):
        assert getattr(tables, table) == {}, table
    assert tables.timers == {}
    assert session.engine.state.active.count == {}


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


SEQUENCES = 500
"""In `make test`; more would take longer than all other tests of the core together."""
PORTION = 100
"""Sequences from one seed."""
NUMBERS = st.integers(0, (1 << 64) - 1)


@pytest.mark.long
def test_the_same_commands_make_the_same_records_in_another_process_and_wherever_it_is_restored(peer: Peer) -> None:
    @settings(max_examples=SEQUENCES, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
    @given(NUMBERS)
    def played(number: int) -> None:
        play(Random(number), peer)  # noqa: S311 - it draws what is tried

    played()
    peer.finish()


@pytest.mark.proof
def test_the_same_holds_for_other_processes_and_commands_each_time(
    peer: Peer, record_property: Callable[[str, object], None]
) -> None:
    @settings(max_examples=PORTION, deadline=None, database=None, phases=[Phase.generate])
    @given(NUMBERS)
    def played(number: int) -> None:
        play(Random(number), peer)  # noqa: S311 - it draws what is tried

    done = 0
    for portion in portions(10_000, PORTION):
        number = SystemRandom().getrandbits(32)
        print("seed", number)  # noqa: T201 - to play a failing run again
        seed(number)(played)()
        peer.finish()
        done += portion
    record_property("random processes with random commands", done)
