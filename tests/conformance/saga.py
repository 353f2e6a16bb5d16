"""Diagrams with activities that can be undone."""

from tests.conformance.diagrams import draw
from tests.engine.drawing import (
    compensate,
    end,
    error_start,
    event_subprocess,
    handler,
    inside,
    start,
    task,
    undone_by,
)


def activity(label: str, job_type: str, undo_type: str) -> dict[str, str]:
    """Draw a task `label` and its handler `undo_label`."""
    return {
        label: task(job_type),
        f"undo_{label}": handler(undo_type),
        **undone_by(label, f"undo_{label}"),
    }


def activities(suffix: str, *labels: str) -> dict[str, str]:
    """Draw tasks by their labels; a job's type is `label-suffix`, its handler's `undo-label-suffix`."""
    drawn: dict[str, str] = {}
    for label in labels:
        drawn |= activity(label, f"{label}-{suffix}", f"undo-{label}-{suffix}")
    return drawn


def undo_chain(*labels: str) -> str:
    """Draw an event subprocess that catches each error and undoes activities one after the other."""
    throws = {f"throw_{label}": compensate(label) for label in labels}
    flows = " > ".join(["failed", *throws, "cancelled"])
    return event_subprocess(inside(flows, failed=error_start(), **throws, cancelled=end()))


def chained(process: str, suffix: str) -> bytes:
    """Draw a, b and c; when an error comes, b is undone and then a."""
    return draw(
        process,
        "start > a > b > c > done",
        start=start(),
        **activities(suffix, "a", "b"),
        c=task(f"c-{suffix}"),
        done=end(),
        chain=undo_chain("b", "a"),
    )


def broadcast(process: str, suffix: str) -> bytes:
    """Draw a and b, and an end event that undoes both."""
    return draw(
        process, "start > a > b > all", start=start(), **activities(suffix, "a", "b"), all=compensate(kind="endEvent")
    )
