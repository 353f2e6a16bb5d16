"""What tests and benchmarks give the engine and read of it: processes that are a row of elements, and its counters."""

import re
from collections.abc import Mapping
from itertools import pairwise

import httpx

_PROCESS = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
                  xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="http://test">
  {beside}
  <bpmn:process id="{process}" isExecutable="true">
    <bpmn:startEvent id="start" />
    {elements}
    <bpmn:endEvent id="end" />
    {flows}
  </bpmn:process>
</bpmn:definitions>
"""
_JOBS = "zeebe_job_events_total"
_APPENDED = "zeebe_log_appender_record_appended_total"
_SERIES = re.compile(r"^\w+\{(?P<labels>[^}]*)\} (?P<value>\S+)", re.MULTILINE)


def row(process: str, elements: Mapping[str, str], beside: str = "") -> bytes:
    """Draw a process: its elements, by their ids, one after the other; `beside` it stands what they refer to."""
    flows = [
        f'<bpmn:sequenceFlow id="flow-{number}" sourceRef="{source}" targetRef="{target}" />'
        for number, (source, target) in enumerate(pairwise(["start", *elements, "end"]))
    ]
    drawn = {"elements": "\n".join(elements.values()), "flows": "\n".join(flows)}
    return _PROCESS.format(process=process, beside=beside, **drawn).encode()


async def jobs(http: httpx.AsyncClient, management: str, event: str, task_type: str) -> int:
    """Return how many jobs of a type the broker has `created`, `activated`, `completed` … since it started.

    `management` is the URL of its management port.
    """
    return sum(
        count
        for labels, count in await _counted(http, management, _JOBS)
        if f'action="{event}"' in labels and f'type="{task_type}"' in labels
    )


async def appended(http: httpx.AsyncClient, management: str) -> int:
    """Return how many records the engine has appended to its log since it started; `management` as for `jobs`."""
    return sum(count for _, count in await _counted(http, management, _APPENDED))


async def _counted(http: httpx.AsyncClient, management: str, counter: str) -> list[tuple[str, int]]:
    """Return the labels of each series of a counter, as text, with how much it has counted."""
    url = f"{management}/actuator/prometheus"
    answer = await http.get(url, params={"includedNames": counter}, follow_redirects=True)
    found = _SERIES.finditer(answer.raise_for_status().text)
    return [(each["labels"], int(float(each["value"]))) for each in found]
