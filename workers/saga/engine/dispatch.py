"""Which waiting client gets a job: streams first, then polls, the oldest first.

The choice enters the log as a JOB_BATCH ACTIVATE command, in the batch in which the job becomes activatable.
"""

from typing import Any

from .batch import Batch
from .core import Command, Engine
from .polls import Activated, JobRequest, WaitingPolls
from .streams import JobStreams


class Dispatcher:
    """The clients that wait for jobs, and how jobs are activated for them."""

    def __init__(self, engine: Engine) -> None:
        """Activate jobs of `engine`."""
        self.polls = WaitingPolls()
        self.streams = JobStreams()
        self._engine = engine

    def hand_out(self, batch: Batch, now: int) -> None:
        """Activate new jobs for streams, then for polls, until nothing has become activatable any more."""
        fresh = [poll for poll in batch.polls if not poll.abandoned]
        for poll in fresh:
            self.polls.add(poll)
        woken = batch.woken
        types = {poll.request.type for poll in fresh}
        while True:
            offered, batch.activatable = batch.activatable, []
            chosen, left = self.streams.assign(offered)
            for stream, keys in chosen.items():
                jobs, _ = self._activate(batch, stream.request, len(keys), keys, now)
                # What did not fit into one batch of jobs stays activatable.
                missing = len(keys) - len(jobs)
                stream.reserved -= missing
                woken[stream.request.type] += missing
                batch.pushes.append((stream, jobs))
            woken.update(left)
            for poll in self.polls.to_try(types, woken):
                poll.fresh = False
                jobs, truncated = self._activate(batch, poll.request, poll.max_jobs, [], now)
                woken[poll.request.type] = woken[poll.request.type] - len(jobs) if jobs else 0
                if jobs or not poll.waits:
                    self.polls.discard(poll)
                    batch.served.append((poll, jobs, truncated))
            if not batch.activatable:
                return

    def _activate(
        self, batch: Batch, request: JobRequest, most: int, keys: list[int], now: int
    ) -> tuple[list[dict[str, Any]], bool]:
        value = {
            "type": request.type,
            "worker": request.worker,
            "timeout": request.timeout,
            "maxJobsToActivate": most,
            "fetchVariables": list(request.fetch_variables),
            "jobKeys": keys,
        }
        response = batch.take(self._engine.process(Command("JOB_BATCH", "ACTIVATE", value=value), now))
        return response.get("jobs", []), response.get("truncated", False)


def deliver(batch: Batch) -> list[dict[str, Any]]:
    """Hand over the jobs of a committed batch; return those whose stream has been closed meanwhile."""
    undelivered = []
    for stream, jobs in batch.pushes:
        if stream.closed:
            undelivered += jobs
        else:
            stream.put(jobs)
    for poll, jobs, truncated in batch.served:
        poll.answer.set_result(Activated(jobs, truncated))
    return undelivered
