"""The path of one job, from its activation to its reply, leads down through the runtime."""

from tests.architecture.job_path import Path, Stop, record

MOST_STOPS = 17
MOST_RETURNS = 2
"""The worker starts the job's task, and the job notes that its reply is being sent."""


async def test_the_path_of_a_job_has_few_stops_and_hardly_ever_leads_back_up() -> None:
    path = await record()
    assert (path.stops[0].module, path.stops[-1].module) == ("subscription.job_stream", "execution.replies")
    assert len(path.stops) <= MOST_STOPS, path
    assert path.returns <= MOST_RETURNS, path


async def test_the_stages_of_a_job_s_life_follow_each_other_on_its_path() -> None:
    modules = [stop.module.removeprefix("execution.") for stop in (await record()).stops]
    stages = ["worker", "admission", "active_job", "runner", "active_job", "replies"]
    found = iter(modules)
    assert all(stage in found for stage in stages), modules


def test_a_return_is_a_stop_at_a_module_that_was_left_before() -> None:
    path = Path([Stop("a", ["f"]), Stop("b", ["g", "h"]), Stop("a", ["i"])])
    assert (len(path.stops), path.returns) == (3, 1)
    assert str(path).splitlines()[2].split() == ["3", "↑", "a", "i"]
