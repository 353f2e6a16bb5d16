"""`saga tasks`: people see what they are asked, claim it and answer it; what is wrong is said and changes nothing."""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from pyzeebe.proto import gateway_pb2 as pb

from bpmn.render import BPMN
from saga.clients.instances import Instances
from saga.operations.reconcile.manual_tasks import MESSAGE
from tests import warm
from tests.engine.process import TIMEOUT, running
from tests.stack import Result
from tests.tasks.cluster import BASE, FakeCluster, serving
from tests.world import eventually

SETTLE = (BPMN / "settle-by-hand.form").read_text(encoding="utf-8")
SETTLING = {
    "orderId": "4711",
    "sagaId": "4711",
    "saga": "Order 4711",
    "participant": "inventory",
    "branch": "reservation",
    "taskType": "reserve-inventory",
    "processInstance": "",
    "doneAt": "2026-01-01T02:03:04+00:00",
    "why": "The participant was not told which process instance had it done.",
}
CARD = "4242424242424242"
KEY = BASE + 3
UNKNOWN = BASE + 10**9
SINCE = f"{datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).astimezone():%Y-%m-%d %H:%M:%S}"


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    cluster = FakeCluster()
    with serving(cluster):
        yield cluster


def environment(cluster: FakeCluster) -> dict[str, str]:
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {
        **known,
        "ZEEBE_ADDRESS": "127.0.0.1:9",
        "CAMUNDA_REST_ADDRESS": cluster.url,
        "COLUMNS": "120",
        "NO_COLOR": "1",
    }


def tasks(cluster: FakeCluster, *arguments: str, **more: str) -> Result:
    """Run `saga tasks` without a terminal."""
    return Result(*warm.saga(("tasks", *arguments), {**environment(cluster), **more}))


def at_a_terminal(cluster: FakeCluster, typed: list[str], *arguments: str) -> tuple[int, str]:
    """Run `saga tasks` at a terminal and type these lines; return the exit status and what the terminal shows."""
    # And an end of file, so that a question too many does not wait for ever.
    text = "".join(f"{line}\n" for line in [*typed, "\x04"])
    return warm.at_a_terminal(("tasks", *arguments), {**environment(cluster), "TERM": "dumb"}, text)


def settle_by_hand(cluster: FakeCluster, assignee: str | None = None) -> int:
    """Add the task that the reconciler asks for, with its form and variables."""
    key = cluster.add(form=SETTLE, assignee=assignee)
    for name, value in SETTLING.items():
        cluster.set(key, name, value)
    return key


def flat(text: str) -> str:
    return " ".join(text.split())


def test_all_open_tasks_are_listed_and_no_others(cluster: FakeCluster) -> None:
    for number in range(5):
        cluster.add(BASE + 10 + number, name=None if number else "Settle", assignee="ada" if number else None)
    cluster.add(BASE + 20, state="COMPLETED")
    done = tasks(cluster)
    lines = [line.split() for line in done.output.splitlines()]
    assert done.status == 0
    assert lines[0] == ["key", "name", "process", "since", "assignee"]
    first, *others = lines[2:]
    assert first == [str(BASE + 10), "Settle", "Settle", "by", "hand", *SINCE.split()]
    assert [line[0] for line in others] == [str(BASE + 11 + number) for number in range(4)]
    assert all(line[1] == "Task_SettleByHand" and line[-1] == "ada" for line in others)


def test_a_script_gets_all_of_each(cluster: FakeCluster) -> None:
    assert json.loads(tasks(cluster, "--json").output) == []
    cluster.add()
    (task,) = json.loads(tasks(cluster, "--json").output)
    assert (task["key"], task["name"], task["processInstanceKey"]) == (KEY, "Settle by hand", BASE + 1)
    assert (task["creationDate"], task["assignee"]) == ("2026-01-02T03:04:05.678000Z", None)


def test_that_none_is_open_is_said(cluster: FakeCluster) -> None:
    assert tasks(cluster).output == "No user task is open.\n"


def test_a_task_is_shown_with_its_form_filled_in(cluster: FakeCluster) -> None:
    done = tasks(cluster, "show", str(settle_by_hand(cluster)))
    assert (done.status, done.errors) == (0, "")
    shown = flat(done.output)
    assert f"instance 2251799813685250 since {SINCE} assignee nobody" in shown
    assert "Order 4711" in shown
    assert "inventory" in shown
    assert "2026-01-01 02:03:04+00:00" in shown
    assert "What is to become of it? (decision: one of, required)" in shown
    assert "keep It was carried out; keep it" in shown
    assert "undo Take it back" in shown
    assert "Comment (comment: textarea, 2000 characters or less)" in shown
    assert f"To answer: saga tasks answer {KEY}" in shown


def test_a_form_that_cannot_be_shown_here_gives_way_to_the_variables(cluster: FakeCluster) -> None:
    key = cluster.add(form={"components": [{"type": "taglist", "key": "tags"}, {"type": "textfield", "key": "a"}]})
    cluster.set(key, "outer", "around", scope=BASE + 1)
    cluster.set(key, "both", "around", scope=BASE + 1)
    cluster.set(key, "both", "of the task", scope=key - 1)
    cluster.set(key, "long", "x" * 100)
    cut = cluster.variables[key][-1]
    cluster.whole[cut["variableKey"]], cut["value"], cut["isTruncated"] = cut["value"], cut["value"][:20], True
    cluster.set(key, "clear", "\x1b[2J")
    shown = flat(tasks(cluster, "show", str(key)).output)
    assert f"both of the task clear \N{REPLACEMENT CHARACTER}[2J long {'x' * 100} outer around" in shown
    assert "Its form has parts that a terminal cannot ask: taglist." in shown


def test_a_task_is_claimed_by_whoever_asks(cluster: FakeCluster) -> None:
    key = settle_by_hand(cluster)
    assert tasks(cluster, "claim", str(key), USER="ada").output == f"Assigned to ada: Settle by hand ({key}).\n"
    assert cluster.tasks[key]["assignee"] == "ada"
    assert tasks(cluster, "claim", str(key), "--as", "ada").status == 0, "it is hers already"


def test_nobodys_task_is_taken_from_them(cluster: FakeCluster) -> None:
    key = settle_by_hand(cluster, assignee="ada")
    done = tasks(cluster, "claim", str(key), "--as", "grace")
    assert (done.status, cluster.tasks[key]["assignee"]) == (1, "ada")
    assert f"The user task {key} is assigned to ada." in done.errors


def test_a_task_is_answered_by_a_command(cluster: FakeCluster) -> None:
    key = settle_by_hand(cluster)
    done = tasks(cluster, "answer", str(key), "--set", "decision=undo", "--set", "comment=a=b", "--yes")
    assert (done.status, done.errors) == (0, "")
    assert f"Answered: Settle by hand ({key}). Instance {BASE + 1} goes on." in done.output
    assert cluster.completed == {key: {"decision": "undo", "comment": "a=b"}}


def test_a_task_is_answered_by_a_json_object(cluster: FakeCluster) -> None:
    key = settle_by_hand(cluster)
    tasks(cluster, "answer", str(key), "--variables", '{"decision": "keep"}', "--yes")
    assert cluster.completed == {key: {"decision": "keep", "comment": ""}}


@pytest.mark.parametrize("form", [None, {"components": [{"type": "group", "components": []}]}])
def test_a_task_whose_form_cannot_be_asked_here_takes_any_variables(cluster: FakeCluster, form: object) -> None:
    key = cluster.add(form=form)
    variables = {"tags": ["a"], "n": {"m": 1.5}}
    assert tasks(cluster, "answer", str(key), "--variables", json.dumps(variables), "--yes").status == 0
    assert cluster.completed == {key: variables}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", f"decision={CARD}"), "decision: must be one of keep, undo"),
        (("--set", f"decison={CARD}"), "decison: the form has no such field; it has decision, comment"),
        (("--set", f"comment={CARD}"), "decision: an answer is required"),
        (("--variables", f'{{"decision": {CARD}}}'), "decision: must be one of keep, undo"),
        (("--variables", f'{{"decision": {CARD}'), "--variables is not a JSON object"),
        (("--variables", f"[{CARD}]"), "--variables is not a JSON object"),
        (("--variables", '{"decision": NaN}'), "--variables is not a JSON object"),
        (("--set", CARD), "--set takes NAME=VALUE"),
        (("--set", "decision=keep", "--set", f"decision={CARD}"), "--set takes NAME=VALUE, each name once"),
    ],
)
def test_a_wrong_answer_changes_nothing_and_is_not_repeated(
    cluster: FakeCluster, arguments: tuple[str, ...], said: str
) -> None:
    done = tasks(cluster, "answer", str(settle_by_hand(cluster)), *arguments, "--yes")
    assert (done.status, cluster.completed) == (2, {})
    assert said in done.errors
    assert CARD not in done.output + done.errors


@pytest.mark.parametrize("arguments", [(), ("--set", "a=1"), ("--set", "a=1", "--variables", "{}")])
def test_a_task_without_a_form_takes_variables_only(cluster: FakeCluster, arguments: tuple[str, ...]) -> None:
    done = tasks(cluster, "answer", str(cluster.add()), *arguments, "--yes")
    assert (done.status, cluster.completed) == (2, {})
    assert "The task has no form. Answer with --variables alone" in done.errors


def test_without_a_terminal_it_has_to_be_said_in_the_command(cluster: FakeCluster) -> None:
    done = tasks(cluster, "answer", str(settle_by_hand(cluster)), "--set", "decision=keep")
    assert (done.status, cluster.completed) == (2, {})
    assert "say --yes. Nothing was changed." in done.errors


def test_at_a_terminal_the_form_asks_until_the_answer_is_valid(cluster: FakeCluster) -> None:
    key = settle_by_hand(cluster)
    status, shown = at_a_terminal(cluster, ["", "perhaps", "undo", "as they say", "y"], "answer", str(key))
    assert (status, cluster.completed) == (0, {key: {"decision": "undo", "comment": "as they say"}}), shown
    assert "Order 4711" in shown
    assert "decision: an answer is required" in shown
    assert "decision: must be one of keep, undo" in shown
    assert "Complete Settle by hand with these?" in shown


def test_at_a_terminal_no_is_no(cluster: FakeCluster) -> None:
    key = settle_by_hand(cluster)
    status, shown = at_a_terminal(cluster, ["n"], "answer", str(key), "--set", "decision=keep", "--set", "comment=c")
    assert (status, cluster.completed) == (2, {})
    assert "Nothing was changed." in shown


CONDITIONAL: dict[str, Any] = {
    "components": [
        {"type": "checkbox", "key": "damaged", "label": "Damaged?"},
        {"type": "text", "text": "Say **what** is broken.", "conditional": {"hide": "=damaged != true"}},
        {
            "type": "number",
            "key": "parts",
            "label": "Parts of {{name}}",
            "conditional": {"hide": "=damaged != true"},
            "validate": {"required": True, "max": 3},
        },
        {"type": "textfield", "key": "note", "defaultValue": "none"},
    ]
}


@pytest.mark.parametrize(
    ("typed", "answers"),
    [
        (["", "", "y"], {"damaged": False, "note": "none"}),
        (["yes", "4", "3", "dented", "y"], {"damaged": True, "parts": 3, "note": "dented"}),
    ],
    ids=["hidden", "shown"],
)
def test_at_a_terminal_only_what_the_answers_so_far_show_is_asked(
    cluster: FakeCluster, typed: list[str], answers: dict[str, Any]
) -> None:
    key = cluster.add(form=CONDITIONAL)
    cluster.set(key, "name", "the engine")
    status, shown = at_a_terminal(cluster, typed, "answer", str(key))
    assert (status, cluster.completed) == (0, {key: answers}), shown
    assert ("Parts of the engine" in shown) == ("parts" in answers)
    assert ("is broken" in shown) == ("parts" in answers)


@pytest.mark.parametrize(
    "command", [("show",), ("claim", "--as", "ada"), ("answer", "--variables", f'{{"a": "{CARD}"}}', "--yes")]
)
def test_a_task_that_is_not_there_or_not_open_is_named(cluster: FakeCluster, command: tuple[str, ...]) -> None:
    completed = cluster.add(state="COMPLETED")
    for key, said in ((UNKNOWN, "There is no user task with the key"), (completed, "is not open: it is COMPLETED")):
        done = tasks(cluster, command[0], str(key), *command[1:])
        assert done.status == 2
        assert said in done.errors
        assert str(key) in done.errors
        assert "`saga tasks` lists the open ones." in done.errors
        assert CARD not in done.errors


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, "is not open any more"),
        (409, "is being changed by somebody else"),
        (400, "does not take these variables"),
    ],
)
def test_a_refused_answer_says_why_and_repeats_no_value(cluster: FakeCluster, status: int, said: str) -> None:
    key = settle_by_hand(cluster)
    cluster.fails_with = status, f"rejected: {CARD}"
    done = tasks(cluster, "answer", str(key), "--set", "decision=keep", "--set", f"comment={CARD}", "--yes")
    assert (done.status, cluster.completed) == (1, {})
    assert said in done.errors
    assert CARD not in done.output + done.errors


def test_a_form_that_is_none_is_said(cluster: FakeCluster) -> None:
    done = tasks(cluster, "show", str(cluster.add(form="no form")))
    assert (done.status, "is not a valid form-js schema" in done.errors) == (1, True)


def test_credentials_are_sent_and_asked_for(cluster: FakeCluster) -> None:
    cluster.password = "Basic YWRhOnNlY3JldA=="  # noqa: S105 - ada:secret, a test's
    refused = tasks(cluster)
    assert refused.status == 1
    assert "refuses us (401)" in refused.errors
    credentials = {"CAMUNDA_BASIC_AUTH_USERNAME": "ada", "CAMUNDA_BASIC_AUTH_PASSWORD": "secret"}
    assert tasks(cluster, **credentials).output == "No user task is open.\n"


def test_a_cluster_without_a_known_rest_api_cannot_be_asked(cluster: FakeCluster) -> None:
    done = tasks(cluster, CAMUNDA_REST_ADDRESS="")
    assert (done.status, "CAMUNDA_REST_ADDRESS is not set" in done.errors) == (2, True)


async def test_a_person_settles_by_hand_and_the_instance_goes_on_with_the_answer() -> None:
    async with AsyncExitStack() as opened:
        engine = await opened.enter_async_context(running())
        gateway = await opened.enter_async_context(engine.stub())
        rest = f"http://{engine.rest}"
        instances = await opened.enter_async_context(Instances(rest))

        async def saga(*arguments: str, status: int = 0) -> str:
            addresses = {"ZEEBE_ADDRESS": engine.gateway, "CAMUNDA_REST_ADDRESS": rest}
            done = await asyncio.to_thread(warm.saga, arguments, {**os.environ, **addresses})
            assert (done[0], not done[2]) == (status, status == 0), done[2]
            return done[2] or done[1]

        async def listed() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = json.loads(await saga("tasks", "--json"))
            return found

        await saga("deploy")
        # More than a search for variables shows of one.
        variables = {**SETTLING, "why": "Nobody knows. " + "x" * 10_000}
        asked = pb.PublishMessageRequest(name=MESSAGE, correlationKey="4711", variables=json.dumps(variables))
        await gateway.PublishMessage(asked, timeout=TIMEOUT)
        [task] = await eventually(listed, bool)
        key = str(task["key"])
        assert (task["name"], task["assignee"]) == ("Settle by hand", None)

        shown = flat(await saga("tasks", "show", key))
        assert "Order 4711" in shown
        assert shown.count("x") > 10_000
        assert "What is to become of it? (decision: one of, required)" in shown
        assert "There is no user task with the key" in await saga("tasks", "show", str(UNKNOWN), status=2)
        await saga("tasks", "claim", key, "--as", "ada")
        [claimed] = await eventually(listed, lambda found: found[0]["assignee"] is not None)
        assert claimed["assignee"] == "ada"
        assert "is assigned to ada." in await saga("tasks", "claim", key, "--as", "grace", status=1)
        await saga("tasks", "answer", key, "--set", "decision=undo", "--set", "comment=lost", "--yes")
        await eventually(listed, lambda found: not found)
        again = await saga("tasks", "answer", key, "--set", "decision=keep", "--yes", status=2)
        assert "is not open: it is COMPLETED" in again

        wanted = pb.ActivateJobsRequest(
            type="settle-effect", worker="test", timeout=10_000, maxJobsToActivate=1, requestTimeout=10_000
        )
        [job] = [job async for jobs in gateway.ActivateJobs(wanted, timeout=TIMEOUT) for job in jobs.jobs]
        assert json.loads(job.variables) == {**variables, "decision": "undo", "comment": "lost"}
        await gateway.CompleteJob(pb.CompleteJobRequest(jobKey=job.key, variables="{}"), timeout=TIMEOUT)
        instance = task["processInstanceKey"]
        ended = await eventually(lambda: instances.get(instance), lambda shown: shown is not None and shown.has_ended)
        assert ended is not None
        assert ended.state == "COMPLETED"
