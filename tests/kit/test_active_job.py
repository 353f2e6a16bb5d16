"""The states of an active job: which one may follow which, and what each of them means for the job."""

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from saga.kit import Step
from saga.kit.definition.job import Job
from saga.kit.definition.outcomes import complete, not_run
from saga.kit.definition.service import Participants, no_token
from saga.kit.execution.active_job import TRANSITIONS, ActiveJob, IllegalTransitionError, JobState
from saga.kit.execution.lease import Lease
from saga.kit.execution.runner import Runner
from saga.kit.execution.threads import Threads
from tests.kit.task import Done, Task

STEP = Step("work", undo=None)


@STEP.do
async def work(task: Task) -> Done:
    return Done(name=task.name)


HANDLER = STEP.handlers()[0]


async def run(active: ActiveJob) -> None:
    runner = Runner(HANDLER, Participants({}, no_token), Threads(1), Random(1), [])  # noqa: S311 - jitter
    assert await active.run(runner) == complete('{"done":{"name":"n"}}')


ENTER: dict[JobState, Callable[[ActiveJob], object]] = {
    JobState.ADMITTED: ActiveJob.admit,
    JobState.RUNNING: run,
    JobState.DEFERRED: lambda active: active.defer(not_run(3, "later", 60.0)),
    JobState.REPLYING: lambda active: active.start_reply(complete("{}")),
    JobState.REPLIED: ActiveJob.finish_reply,
    JobState.RELEASED: ActiveJob.release,
    JobState.ENDED: ActiveJob.end,
}
"""What makes a job enter each state; nothing makes it enter RECEIVED."""
PAIRS = [(state, following) for state in JobState for following in ENTER]
LEGAL = [(state, following) for state, following in PAIRS if following in TRANSITIONS[state]]
ILLEGAL = [(state, following) for state, following in PAIRS if following not in TRANSITIONS[state]]


def active_in(state: JobState) -> ActiveJob:
    job = Job(7, "work", 1, 2, "process", "Task_Work", 3, 0.0, variables='{"name": "n"}')
    return ActiveJob(job, HANDLER, Lease(30.0, float("inf")), state)


async def enter(active: ActiveJob, state: JobState) -> None:
    entered = ENTER[state](active)
    if asyncio.iscoroutine(entered):
        await entered


@pytest.mark.parametrize(("state", "following"), LEGAL)
async def test_each_legal_transition_is_made(state: JobState, following: JobState) -> None:
    active = active_in(state)
    await enter(active, following)
    assert active.state is following


@pytest.mark.parametrize(("state", "following"), ILLEGAL)
async def test_each_other_transition_is_refused_and_changes_nothing(state: JobState, following: JobState) -> None:
    active = active_in(state)
    with pytest.raises(IllegalTransitionError, match=f"job 7 of work cannot be {following} after it was {state}"):
        await enter(active, following)
    assert (active.state, active.reply) == (state, None)


def test_the_table_is_that_of_a_job_s_life() -> None:
    """Spelt out once more: a change of the table has to be meant."""
    table = {state.value: sorted(following) for state, following in TRANSITIONS.items()}
    assert table == {
        "received": ["admitted", "deferred", "ended", "released", "replying"],
        "admitted": ["ended", "released", "replying", "running"],
        "running": ["deferred", "ended", "released", "replying"],
        "deferred": ["ended", "replied", "replying"],
        "replying": ["ended", "replied", "replying"],
        "replied": ["ended"],
        "released": ["ended"],
        "ended": [],
    }


def test_each_state_leads_to_the_end_and_can_be_reached() -> None:
    assert all(JobState.ENDED in following for state, following in TRANSITIONS.items() if state is not JobState.ENDED)
    reached = {JobState.RECEIVED}.union(*TRANSITIONS.values())
    assert reached == set(JobState) == set(TRANSITIONS)


@pytest.mark.parametrize("state", JobState)
def test_a_lease_is_extended_until_the_job_has_its_reply(state: JobState) -> None:
    assert active_in(state).extends_lease is (state not in {JobState.REPLIED, JobState.ENDED})


@pytest.mark.parametrize("state", [JobState.REPLIED, JobState.ENDED])
def test_an_activation_after_the_reply_follows_the_job(state: JobState) -> None:
    active = active_in(state)
    assert active.is_followed_by(active.job)


def test_an_activation_with_the_retries_of_our_failure_follows_the_job_before_zeebe_s_response() -> None:
    active = active_in(JobState.RUNNING)
    assert not active.is_followed_by(active.job)
    active.start_reply(not_run(3, "later"))
    assert active.is_followed_by(active.job)
    active.reply = not_run(2, "later")
    assert not active.is_followed_by(active.job), "a copy of the activation that it came with"
