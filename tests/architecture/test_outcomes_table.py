"""One table of outcomes: only it builds the replies to Zeebe."""

import pytest

from tests.architecture.builders import OUTCOMES, REPLIES, REQUESTS, builders, calls


def test_only_the_outcomes_table_builds_replies() -> None:
    assert builders(REPLIES) == {OUTCOMES}


def test_only_the_replies_become_requests_to_the_gateway() -> None:
    assert builders(REQUESTS) == {"saga.kit.execution.replies"}


@pytest.mark.parametrize(
    "planted",
    [
        "from saga.kit.definition.outcomes import Fail\nreply = Fail(0, 0.0, 'no')",
        "from saga.kit.definition import outcomes\nreply = outcomes.Throw('CODE', 'no', '{}')",
        "from saga.kit.definition.outcomes import Complete as Done\ndef run():\n    return [Done('{}')]",
    ],
)
def test_a_reply_that_is_built_elsewhere_is_found(planted: str) -> None:
    assert len(list(calls(planted, REPLIES))) == 1


@pytest.mark.parametrize(
    "harmless",
    [
        "from saga.kit.definition.outcomes import Fail\nis_failure = isinstance(reply, Fail)",
        "match reply:\n    case Fail(retries=0):\n        pass",
        "reply = not_run(3, 'no thread was free')",
    ],
)
def test_a_look_at_a_reply_is_no_finding(harmless: str) -> None:
    assert list(calls(harmless, REPLIES)) == []
