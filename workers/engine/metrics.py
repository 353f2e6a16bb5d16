"""Counters under Zeebe's own names, made of the records that were committed since the process started."""

from collections import Counter
from collections.abc import Collection, Sequence

from .core import Record

_JOB_ACTIONS = {
    "CREATED": "created",
    "COMPLETED": "completed",
    "FAILED": "failed",
    "ERROR_THROWN": "error thrown",
    "TIMED_OUT": "timed out",
    "CANCELED": "canceled",
}
_ELEMENT_ACTIONS = {
    "ELEMENT_ACTIVATED": "activated",
    "ELEMENT_COMPLETED": "completed",
    "ELEMENT_TERMINATED": "terminated",
}
_INCIDENT_ACTIONS = {"CREATED": "created", "RESOLVED": "resolved"}
_HELP = {
    "zeebe_job_events_total": "Number of job events",
    "zeebe_element_instance_events_total": "Number of element instance events",
    "zeebe_incident_events_total": "Number of incident events",
    "zeebe_log_appender_record_appended_total": "Count of records appended per partition, type, value type and intent",
}


class Metrics:
    """Counts records; `listener` is what the writer calls."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()

    def listener(self, records: Sequence[Record]) -> None:
        """Count the records of a committed batch."""
        appended = Counter((each.record_type, each.value_type, each.intent) for each in records)
        for (record_type, value_type, intent), count in appended.items():
            labels = (("recordType", record_type), ("valueType", value_type), ("intent", intent))
            self._counts["zeebe_log_appender_record_appended_total", labels] += count
        for record in records:
            if record.record_type == "EVENT":
                self._count(record)

    def text(self, included: Collection[str] = ()) -> str:
        """Return all counters, or those of the names in `included`, in Prometheus' text format."""
        lines: list[str] = []
        for name, text in _HELP.items():
            if included and name not in included:
                continue
            lines += [f"# HELP {name} {text}", f"# TYPE {name} counter"]
            counts = sorted((labels, count) for (each, labels), count in self._counts.items() if each == name)
            lines += [f"{name}{{{_labels(labels)}}} {count}.0" for labels, count in counts]
        return "\n".join(lines) + "\n"

    def _count(self, record: Record) -> None:
        value = record.value
        match record.value_type:
            case "JOB" if record.intent in _JOB_ACTIONS:
                self._add("zeebe_job_events_total", _JOB_ACTIONS[record.intent], value["type"])
            case "JOB_BATCH" if record.intent == "ACTIVATED":
                # Zeebe counts what goes to a stream as pushed, and as activated what a poll gets.
                action = "pushed" if value["pushed"] else "activated"
                self._add("zeebe_job_events_total", action, value["type"], len(value["jobKeys"]))
            case "PROCESS_INSTANCE" if record.intent in _ELEMENT_ACTIONS:
                action = _ELEMENT_ACTIONS[record.intent]
                self._add("zeebe_element_instance_events_total", action, value["bpmnElementType"])
            case "INCIDENT" if record.intent in _INCIDENT_ACTIONS:
                self._add("zeebe_incident_events_total", _INCIDENT_ACTIONS[record.intent], value["errorType"])

    def _add(self, name: str, action: str, kind: str, count: int = 1) -> None:
        if count:
            self._counts[name, (("action", action), ("partition", "1"), ("type", kind))] += count


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels)


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
