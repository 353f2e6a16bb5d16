"""Middleware: every job passes it in order, it can stop a job, and it costs nothing where it does nothing."""

from structlog.testing import capture_logs

from saga.kit import Job, Unavailable
from saga.kit.definition.outcomes import Complete, Fail, JobReply
from saga.kit.execution.middleware import JobOutcome, Middleware, Proceed, chained
from tests.kit.bench import Bench, Seen, until, working
from tests.kit.gateway import ScriptedGateway


class Named(Middleware):
    """Writes down when a job passes it."""

    def __init__(self, name: str, log: list[str]) -> None:
        self._name = name
        self._log = log

    async def around(self, job: Job, proceed: Proceed) -> JobReply:
        self._log.append(f"{self._name} in")
        answer = await proceed(job)
        self._log.append(f"{self._name} out: {type(answer).__name__}")
        return answer


class Refusing(Middleware):
    """Stops every job by an outcome."""

    async def around(self, job: Job, proceed: Proceed) -> JobReply:
        del job, proceed
        message = "closed for the night"
        raise Unavailable(message, retry_after=60.0)


class Answering(Middleware):
    """Stops every job by an answer of its own."""

    async def around(self, job: Job, proceed: Proceed) -> JobReply:
        del job, proceed
        return Complete('{"done":{"name":"from a cache"}}')


class Failing(Middleware):
    """Has a bug where it looks at how a job ended."""

    def ended(self, ended: JobOutcome) -> None:
        del ended
        message = "4242424242424242"
        raise RuntimeError(message)


async def test_one_that_answers_with_nothing_has_a_bug_that_is_an_incident(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    class Forgetful(Middleware):
        async def around(self, job: Job, proceed: Proceed) -> JobReply:
            await proceed(job)
            return None  # type: ignore[return-value]

    bench.go.set()
    gateway.push(gateway.job())
    async with working(gateway, bench.step, Forgetful()):
        await until(lambda: len(gateway.told) == 1)
    (told,) = gateway.told
    assert told.retries == 0
    assert "TypeError" in told.errorMessage


async def test_the_first_of_the_list_is_the_outermost(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    log: list[str] = []
    gateway.push(gateway.job())
    async with working(gateway, bench.step, Named("a", log), Named("b", log)):
        await until(lambda: len(gateway.told) == 1)
    assert log == ["a in", "b in", "b out: Complete", "a out: Complete"]


async def test_it_can_stop_a_job_by_an_outcome_which_those_outside_of_it_see(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    log: list[str] = []
    seen = Seen()
    gateway.push(gateway.job(retries=3))
    async with working(gateway, bench.step, seen, Named("a", log), Refusing()):
        await until(lambda: len(seen.jobs) == 1)
    assert seen.jobs[0].reply == Fail(2, 60.0, "closed for the night")
    assert bench.runs == 0
    assert log == ["a in", "a out: Fail"]


async def test_it_can_answer_a_job_itself(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.push(gateway.job())
    async with working(gateway, bench.step, Answering()):
        await until(lambda: len(gateway.told) == 1)
    assert gateway.told[0].variables == '{"done":{"name":"from a cache"}}'
    assert bench.runs == 0


async def test_what_it_does_wrong_at_the_end_harms_no_job_and_no_other(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    seen = Seen()
    gateway.push(gateway.job(), gateway.job())
    with capture_logs() as logs:
        async with working(gateway, bench.step, Failing(), seen):
            await until(lambda: len(seen.jobs) == 2)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["bug in a middleware"] * 2


async def test_how_a_job_ended_is_told_once(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    seen = Seen()
    gateway.push(gateway.job(name="bug"))
    async with working(gateway, bench.step, seen):
        await until(lambda: len(seen.jobs) == 1)
    (ended,) = seen.jobs
    assert isinstance(ended.reply, Fail)
    assert (ended.job.task_type, ended.doubt) == ("work", None)
    assert ended.seconds > 0


def test_what_overrides_nothing_adds_nothing_to_the_way_of_a_job() -> None:
    async def step(job: Job) -> JobReply:
        del job
        return Complete("{}")

    assert chained([Middleware(), Seen()], step, lambda proceed: proceed) is step
