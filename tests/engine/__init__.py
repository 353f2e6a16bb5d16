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
_COUNTER = "zeebe_job_events_total"
_EVENT = re.compile(rf"^{_COUNTER}\{{(?P<labels>[^}}]*)\}} (?P<value>\S+)", re.MULTILINE)


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
    url = f"{management}/actuator/prometheus"
    answer = await http.get(url, params={"includedNames": _COUNTER}, follow_redirects=True)
    return sum(
        int(float(found["value"]))
        for found in _EVENT.finditer(answer.raise_for_status().text)
        if f'action="{event}"' in found["labels"] and f'type="{task_type}"' in found["labels"]
    )
