"""A log in which every kind of command stands at least once, with all that can follow from it."""

import hashlib
import json
from typing import Any

import msgspec

from tests.engine.core.bench import Bench, activation, creation
from tests.engine.drawing import (
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

FORM = json.dumps({"id": "f"}).encode()
ORDER = draw(
    "order",
    "start > a; begin > a; a > g; g > b; b > done; u > b; caught > fix; ping > note",
    message("open") + message("ping", "=k") + message("late", "=k") + message("stop", "=k") + error("SOFT"),
    start=start(),
    begin=start(message="open"),
    a=task("a", extensions=mapping({"local": "=n"})),
    undo_a=handler("undo-a"),
    **undone_by("a", "undo_a"),
    g=gateway("b"),
    manual=condition("g", "u", "=manual"),
    u=user_task(extensions='<zeebe:formDefinition formId="f" /><zeebe:assignmentDefinition assignee="ann" />'),
    b=task("b", extensions=mapping({"checked": "=assert(n, n != null)"}, {"r": "=assert(r, r != null)"})),
    undo_b=handler("undo-b"),
    **undone_by("b", "undo_b"),
    caught=error_boundary("b", "SOFT"),
    fix=task("fix"),
    ping=message_boundary("b", "ping", interrupting=False),
    note=task("note"),
    done=end(mapping(outputs={"outcome": '="done"'})),
    failed=event_subprocess(
        inside(
            "err > then_b > then_a > end_failed",
            err=error_start(),
            then_b=compensate("b"),
            then_a=compensate("a"),
            end_failed=end(),
        )
    ),
    later=event_subprocess(
        inside(
            "late_start > late > end_late",
            late_start=message_start("late", interrupting=False),
            late=task("late"),
            undo_late=handler("undo-late"),
            end_late=end(),
            **undone_by("late", "undo_late"),
        )
    ),
    stopped=event_subprocess(
        inside(
            "stop_start > all", stop_start=message_start("stop", interrupting=True), all=compensate(kind="endEvent")
        ),
    ),
)
COMMON = draw(
    "common",
    "start > fork > wait > join > end; fork > each_of > join; fork > called > join",
    start=start(),
    fork=element("parallelGateway"),
    wait=catch(timer("duration", "PT1S")),
    each_of=subprocess(
        inside("into > each > out", into=start(), each=loop(task("each"), "=[1, 2]", "n", "=r", "all"), out=end())
    ),
    called=call("leaf"),
    join=element("parallelGateway"),
    end=end(),
)
LEAF = draw("leaf", "start > end", start=start(), end=end())
JOB_TYPES = ("each", "a", "b", "fix", "note", "late", "undo-a", "undo-b", "undo-late")


def create(bench: Bench, **variables: Any) -> int:  # noqa: ANN401 - any JSON
    """Start an order."""
    return bench.create("order", **variables)


def play(bench: Bench) -> None:
    """Send every kind of command."""
    bench.deploy(FORM, name="f.form")
    old = bench.deploy(ORDER)["processesMetadata"][0]["processDefinitionKey"]
    bench.deploy(ORDER)
    bench.deploy(ORDER + b"\n")
    bench.send("PROCESS_INSTANCE_CREATION", "CREATE", **creation("nobody"))
    _incidents(bench)
    _people(bench)
    _undone(bench)
    _messages(bench)
    _ended_from_outside(bench)
    _common(bench)
    bench.do("RESOURCE_DELETION", "DELETE", resourceKey=old)
    bench.do("RESOURCE_DELETION", "DELETE", resourceKey=next(bench.events("FORM")).key)
    bench.do("CLOCK", "PIN", time=bench.now + 5)
    bench.do("CLOCK", "RESET")


def _common(bench: Bench) -> None:
    bench.deploy(COMMON, LEAF)
    bench.create("common")
    for job in bench.activate("each"):
        bench.do("JOB", "COMPLETE", job["key"], variables='{"r": 1}')
    bench.wait(1000)


def _incidents(bench: Bench) -> None:
    instance = create(bench)
    bench.set_variables(instance, k="1", manual=False)
    bench.resolve()
    bench.activate("a", 1, 100)
    bench.wait(100)
    bench.do("JOB", "YIELD", bench.job("a")["key"])
    job = bench.job("a")["key"]
    bench.do("JOB", "UPDATE_TIMEOUT", job, timeout=5)
    bench.do("JOB", "UPDATE", job, timeout=7, retries=9)
    bench.fail(job, 2, "not yet", 50, seen=1)
    bench.wait(50)
    bench.fail(job, 0, "boom")
    bench.do("JOB", "UPDATE_RETRIES", job, retries=1)
    bench.resolve()
    bench.complete("a")
    bench.set_variables(instance, n=1)
    bench.resolve()
    bench.throw(bench.job("b")["key"], "SOFT")
    bench.complete("fix")


def _people(bench: Bench) -> None:
    create(bench, k="2", n=1, manual=True)
    bench.complete("a")
    key = next(bench.events("USER_TASK")).key
    bench.do("USER_TASK", "ASSIGN", key, assignee="bob")
    bench.do("USER_TASK", "UNASSIGN", key)
    bench.do("USER_TASK", "UPDATE", key, changeset={"priority": 1})
    bench.do("USER_TASK", "COMPLETE", key, variables='{"by": "bob"}')
    bench.complete("b")
    bench.set_variables(bench.incident()["elementInstanceKey"], local=True, r=1)
    bench.resolve()


def _undone(bench: Bench) -> None:
    create(bench, k="3", n=1, manual=False)
    bench.publish("late", "3")
    bench.complete("late")
    bench.complete("a")
    bench.throw(bench.job("b")["key"], "HARD", "no", why="x")
    bench.complete("undo-a")
    create(bench, k="3", n=1, manual=False)
    bench.correlate("late", "3")
    bench.complete("late")
    bench.complete("a")
    bench.publish("stop", "3", reason="enough")
    bench.complete("undo-late")
    bench.complete("undo-a")
    bench.create("order", starts=["b", "a"], k="3", n=1)
    bench.complete("b", r=1)
    bench.throw(bench.job("a")["key"], "HARD")
    bench.complete("undo-b")


def _messages(bench: Bench) -> None:
    bench.publish("open", "4", ttl=1000, message_id="i", k="4", n=1, manual=False)
    bench.publish("open", "4", ttl=500, k="4", n=2, manual=False)
    bench.publish("late", "4", ttl=500)
    bench.publish("ping", "4", ttl=500)
    bench.complete("a")
    bench.complete("note")
    bench.complete("b", r=1)
    for key in bench.jobs("late"):
        bench.do("JOB", "COMPLETE", key, variables="{}")
    bench.wait(1000)


def _ended_from_outside(bench: Bench) -> None:
    instance = create(bench, k="5", n=1, manual=False)
    bench.publish("late", "5")
    bench.modify(
        instance, activation("b", root={"n": 3}, b={"own": 1}), activation("undo_a"), terminate=(bench.key_of("later"),)
    )
    bench.modify(instance, terminate=(bench.key_of("undo_a"),))
    bench.fail(bench.job("b")["key"], 0)
    bench.correlate("open", "5", k="5", n=1, manual=False)
    bench.send("MESSAGE_CORRELATION", "CORRELATE", name="open", correlationKey="5", variables="{}")
    for key in sorted(key for key, found in bench.engine.state.tables.elements.items() if found.scope == -1):
        bench.do("PROCESS_INSTANCE", "CANCEL", key)
    for started in (["a", "late"], ["then_b"]):
        create_at = bench.create("order", starts=started, k="6", n=1, manual=False)
        if bench.fate(create_at) == "ACTIVE":
            bench.modify(create_at, terminate=(create_at,))


def fingerprint() -> str:
    """Return the SHA-256 of the log that `play` makes."""
    bench = Bench()
    play(bench)
    return hashlib.sha256(msgspec.msgpack.encode(bench.log)).hexdigest()
