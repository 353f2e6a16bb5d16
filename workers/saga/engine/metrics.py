"""Counters under Zeebe's own names, made of the records that were committed since the process started."""

from collections import Counter
from collections.abc import Collection, Sequence

from .core import Record

_APPENDED = "zeebe_log_appender_record_appended_total"
_JOBS = "zeebe_job_events_total"
_ELEMENTS = "zeebe_element_instance_events_total"
_INCIDENTS = "zeebe_incident_events_total"
_HELP = {
    _JOBS: "Number of job events",
    _ELEMENTS: "Number of element instance events",
    _INCIDENTS: "Number of incident events",
    _APPENDED: "Count of records appended per partition, type, value type and intent",
}
_KINDS = {"JOB": "type", "PROCESS_INSTANCE": "bpmnElementType", "INCIDENT": "errorType"}
"""The field of a record's value that tells the kind of what it is about, by value type."""
_ACTIONS = {
    ("JOB", "CREATED"): (_JOBS, "created"),
    ("JOB", "COMPLETED"): (_JOBS, "completed"),
    ("JOB", "FAILED"): (_JOBS, "failed"),
    ("JOB", "ERROR_THROWN"): (_JOBS, "error thrown"),
    ("JOB", "TIMED_OUT"): (_JOBS, "timed out"),
    ("JOB", "CANCELED"): (_JOBS, "canceled"),
    ("PROCESS_INSTANCE", "ELEMENT_ACTIVATED"): (_ELEMENTS, "activated"),
    ("PROCESS_INSTANCE", "ELEMENT_COMPLETED"): (_ELEMENTS, "completed"),
    ("PROCESS_INSTANCE", "ELEMENT_TERMINATED"): (_ELEMENTS, "terminated"),
    ("INCIDENT", "CREATED"): (_INCIDENTS, "created"),
    ("INCIDENT", "RESOLVED"): (_INCIDENTS, "resolved"),
}
"""Counter and action of an event, by value type and intent."""
_Series = tuple[str, tuple[tuple[str, str], ...]]
"""A counter's name, and its labels with their values."""


class Metrics:
    """Counts records; `listener` is what the writer calls."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._records: Counter[tuple[str, str, str, str]] = Counter()
        """Records by record type, value type, intent and kind; they become labels when somebody asks."""
        self._activated: Counter[tuple[str, str]] = Counter()
        """Activated jobs by action and job type."""

    def listener(self, records: Sequence[Record]) -> None:
        """Count the records of a committed batch."""
        counts, kinds = self._records, _KINDS
        for record in records:
            value_type = record.value_type
            kind = record.value.get(kinds[value_type], "") if value_type in kinds else ""
            counts[record.record_type, value_type, record.intent, kind] += 1
            if value_type == "JOB_BATCH" and record.intent == "ACTIVATED":
                # Zeebe counts what goes to a stream as pushed, and as activated what a poll gets.
                action = "pushed" if record.value["pushed"] else "activated"
                self._activated[action, record.value["type"]] += len(record.value["jobKeys"])

    def text(self, included: Collection[str] = ()) -> str:
        """Return all counters, or those of the names in `included`, in Prometheus' text format."""
        lines: list[str] = []
        found = sorted(self._series().items())
        for name, text in _HELP.items():
            if included and name not in included:
                continue
            lines += [f"# HELP {name} {text}", f"# TYPE {name} counter"]
            lines += [f"{name}{{{_labels(labels)}}} {count}.0" for (each, labels), count in found if each == name]
        return "\n".join(lines) + "\n"

    def _series(self) -> Counter[_Series]:
        series: Counter[_Series] = Counter()
        for (record_type, value_type, intent, kind), count in self._records.items():
            labels = (("recordType", record_type), ("valueType", value_type), ("intent", intent))
            series[_APPENDED, labels] += count
            if record_type == "EVENT" and (value_type, intent) in _ACTIONS:
                name, action = _ACTIONS[value_type, intent]
                series[_event(name, action, kind)] += count
        for (action, job_type), count in self._activated.items():
            series[_event(_JOBS, action, job_type)] += count
        return series


def _event(name: str, action: str, kind: str) -> _Series:
    return name, (("action", action), ("partition", "1"), ("type", kind))


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels)


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
