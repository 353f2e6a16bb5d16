"""Create a worker: build its parts and connect them."""

from collections.abc import Mapping, Sequence
from random import Random

import grpc
import httpx

from saga.kit.definition.handler import Handler
from saga.kit.definition.job import Job
from saga.kit.definition.outcomes import JobReply, StepError
from saga.kit.definition.service import Participants, TokenOf, no_token
from saga.kit.execution.active_job import ActiveJob
from saga.kit.execution.admission import Admission
from saga.kit.execution.crash_guard import CrashGuard
from saga.kit.execution.job_release import JobRelease
from saga.kit.execution.lease import Leases
from saga.kit.execution.middleware import Middleware, reporter
from saga.kit.execution.parts import ServedType, WorkerParts
from saga.kit.execution.replies import JobReplies
from saga.kit.execution.retry_backlog import RetryBacklog
from saga.kit.execution.runner import Runner
from saga.kit.execution.threads import Threads
from saga.kit.execution.timing import WorkerTiming
from saga.kit.execution.watchdog import Watchdog
from saga.kit.execution.worker import Worker
from saga.kit.gateway.channel_watch import ChannelWatch
from saga.kit.gateway.connection import stub
from saga.kit.settings import WorkerSettings
from saga.kit.subscription.job_request import JobRequest
from saga.kit.subscription.job_subscription import JobSubscription
from saga.kit.subscription.poll_schedule import PollSchedule
from saga.kit.subscription.window import Window

_DEFAULT_TIMING = WorkerTiming()


def create_worker(  # noqa: PLR0913 - wired once, by name
    channel: grpc.aio.Channel,
    handlers: Mapping[str, Handler],
    services: Mapping[str, httpx.AsyncClient],
    settings: WorkerSettings,
    random: Random,
    *,
    middleware: Sequence[Middleware] = (),
    crash_guard: CrashGuard | None = None,
    token: TokenOf = no_token,
    schedule: PollSchedule | None = None,
    timing: WorkerTiming = _DEFAULT_TIMING,
) -> Worker:
    """Create a worker; it sends nothing before it runs.

    Args:
        channel: To the engine.
        handlers: The handlers by task type.
        services: One HTTP client for each participant that the handlers name.
        settings: Lease, windows and times.
        random: The source of all jitter.
        middleware: The middleware around every job, the outermost first.
        crash_guard: Counts the jobs that are begun without a reply; by default in memory only.
        token: Returns the token of a task type for its participants; raises Broken if there is none.
        schedule: How often idle task types poll; by default their number decides.
        timing: The times and bounds that no setting changes.
    """
    gateway, channel_watch = stub(channel), ChannelWatch(channel)
    active: dict[int, ActiveJob] = {}
    served: dict[str, ServedType] = {}

    def failed(job: Job, error: StepError) -> JobReply:
        return served[job.task_type].runner.failed(job, error)

    report = reporter(middleware)
    watchdog = Watchdog(handlers.values(), timing.watchdog_interval, timing.blocked_after)
    leases = Leases(gateway, active.values(), settings.lease, watchdog.beat)
    threads = Threads(settings.threads)
    crash_guard = crash_guard or CrashGuard(settings.activations)
    replies = JobReplies(gateway, channel_watch, random, failed, max_backoff=timing.max_backoff)
    parts = WorkerParts(
        settings=settings,
        active=active,
        served=served,
        window=Window(settings.window),
        channel_watch=channel_watch,
        watchdog=watchdog,
        leases=leases,
        threads=threads,
        crash_guard=crash_guard,
        admission=Admission(crash_guard, threads, leases, random, timing.quarantine_timeout),
        replies=replies,
        backlog=RetryBacklog(leases, replies.deliver, report, timing.backlog_places),
        releases=JobRelease(replies, report),
        report=report,
    )
    worker = Worker(parts)
    participants = Participants(services, token)
    for task_type, handler in handlers.items():
        window = Window(settings.window_per_type, parts.window)
        subscription = JobSubscription(
            gateway,
            JobRequest(task_type, settings.name, settings.lease, handler.fetch),
            window,
            receive=worker.receive,
            release=worker.release,
            channel_watch=channel_watch,
            random=random,
            schedule=schedule or PollSchedule.of(len(handlers)),
            timing=timing,
        )
        served[task_type] = ServedType(
            handler, Runner(handler, participants, threads, random, middleware), window, subscription
        )
    return worker
