"""The outcomes table: what the engine is told, for each way in which a step can end."""

import json
from random import Random

import pytest

from saga.common.problems import FieldError
from saga.kit.definition.outcomes import (
    Attempt,
    Broken,
    Declined,
    Fail,
    JobReply,
    Throw,
    Unavailable,
    reply_to,
)
from saga.kit.definition.retry import DO, UNDO, Retry

RETRY = Retry(retries=5, base=1.0, factor=2.0, cap=6.0)


def told(error: Exception, *, retries: int = 5, saga_id: str | None = None) -> JobReply:
    attempt = Attempt("pay", retries, RETRY, frozenset({"NO_MONEY"}), saga_id, participants=("bank",))
    return reply_to(error, attempt, Random(1))  # noqa: S311 - jitter


def told_of_an_undo(error: Exception, *, retries: int = 5) -> JobReply:
    attempt = Attempt("refund", retries, RETRY, frozenset(), "4711", undoes="pay", participants=("bank", "post"))
    return reply_to(error, attempt, Random(1))  # noqa: S311 - jitter


def test_a_declared_refusal_becomes_a_bpmn_error_that_says_why() -> None:
    error = Declined("NO_MONEY", "the card has no funds", (FieldError("card", "is empty"),))
    answer = told(error)
    assert isinstance(answer, Throw)
    assert (answer.code, answer.message) == ("NO_MONEY", "the card has no funds")
    assert json.loads(answer.variables) == {
        "refusal": {
            "code": "NO_MONEY",
            "message": "the card has no funds",
            "taskType": "pay",
            "errors": [{"field": "card", "message": "is empty"}],
        }
    }


def test_a_refusal_stays_small_whatever_a_participant_says() -> None:
    answer = told(Declined("NO_MONEY", "no" * 100_000, (FieldError("f" * 100_000, "m" * 100_000),) * 1_000))
    assert isinstance(answer, Throw)
    assert len(answer.variables) < 1_000_000
    assert json.loads(answer.variables)["refusal"]["errors"][0]["field"].startswith("fff")


def test_an_undeclared_refusal_is_an_incident_that_names_the_code() -> None:
    answer = told(Declined("SURPRISE", "never seen"))
    assert isinstance(answer, Fail)
    assert answer.retries == 0
    assert "SURPRISE" in answer.message


def test_an_unknown_effect_is_tried_again_and_never_a_refusal() -> None:
    answer = told(Unavailable("timed out"), retries=5)
    assert isinstance(answer, Fail)
    assert answer.retries == 4
    assert 0.5 <= answer.backoff <= 1.0


def test_the_backoff_doubles_from_try_to_try_and_ends_at_its_cap() -> None:
    backoffs = [told(Unavailable("timed out"), retries=left) for left in (5, 4, 3, 2)]
    bounds = [(0.5, 1.0), (1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]
    for answer, (low, high) in zip(backoffs, bounds, strict=True):
        assert isinstance(answer, Fail)
        assert low <= answer.backoff <= high


def test_the_participants_own_wish_wins_over_a_shorter_backoff() -> None:
    answer = told(Unavailable("busy", retry_after=17.0))
    assert isinstance(answer, Fail)
    assert answer.backoff == 17.0


def test_the_last_try_becomes_an_incident_that_says_what_to_do() -> None:
    assert told(Unavailable("bank could not be asked (ConnectError)."), retries=1, saga_id="4711") == Fail(
        0,
        0.0,
        "Saga 4711: pay has no retries left; its policy is 5 tries with waits of about 10 seconds in all. The last "
        "time: bank could not be asked (ConnectError). Once the cause is gone, retry the incident: the same command "
        "has one effect.",
    )


@pytest.mark.parametrize(
    "error", [Unavailable("bank answered 503."), Broken("bank is not asked."), KeyError("bug"), TimeoutError()]
)
def test_an_undos_incident_says_of_which_saga_and_what_counts_as_standing(error: Exception) -> None:
    answer = told_of_an_undo(error, retries=1)
    assert isinstance(answer, Fail)
    assert answer.retries == 0
    assert answer.message.startswith("Saga 4711: ")
    assert answer.message.endswith(" Until the undo succeeds, what pay did at bank and post counts as standing.")


@pytest.mark.parametrize("error", [Broken("bank is not asked."), KeyError("bug"), Declined("SURPRISE", "never seen")])
def test_an_incident_names_its_saga(error: Exception) -> None:
    answer = told(error, saga_id="4711")
    assert isinstance(answer, Fail)
    assert answer.message.startswith("Saga 4711: ")
    assert "standing" not in answer.message


def test_a_refused_undo_is_tried_again_and_never_skipped() -> None:
    answer = told_of_an_undo(Declined("NO_MONEY", "cannot refund"))
    assert isinstance(answer, Fail)
    assert answer.retries == 4
    assert answer.backoff > 0


def test_a_broken_step_is_an_incident_at_once() -> None:
    assert told(Broken("items[0].sku: is missing")) == Fail(0, 0.0, "items[0].sku: is missing")


def test_a_bugs_text_does_not_reach_the_broker() -> None:
    answer = told(KeyError("4242424242424242"))
    assert isinstance(answer, Fail)
    assert answer.retries == 0
    assert "KeyError" in answer.message
    assert "4242" not in answer.message


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (DO, "10 tries with waits of about 91 seconds in all"),
        (UNDO, "25 tries with waits of about 63 minutes in all"),
        (Retry(retries=1), "1 try with waits of about 0 seconds in all"),
        (Retry(retries=500, base=60.0, cap=60.0, jitter=0.0), "500 tries with waits of about 8 hours in all"),
    ],
)
def test_a_policy_is_said_with_the_time_that_it_takes(policy: Retry, said: str) -> None:
    assert str(policy) == said


def test_the_time_that_a_policy_takes_is_that_of_its_waits() -> None:
    policy = Retry(retries=100, base=1.0, factor=1.5, cap=40.0, jitter=0.0)
    waits = [policy.backoff(left, Random(1)) for left in range(100, 1, -1)]  # noqa: S311 - jitter
    assert policy.span == pytest.approx(sum(waits))


@pytest.mark.parametrize("retries_left", [-1, 0, 6, 1_000_000])
def test_the_backoff_is_bounded_whatever_the_engine_counts(retries_left: int) -> None:
    assert 0.5 <= RETRY.backoff(retries_left, Random(2)) <= 6.0  # noqa: S311 - jitter
