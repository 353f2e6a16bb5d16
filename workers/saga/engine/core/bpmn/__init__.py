"""BPMN: an XML document becomes executable processes, or a list of all that is wrong with it."""

from functools import lru_cache

from ..model import Process
from .findings import Findings, InvalidModelError
from .reader import ProcessReader
from .xml import BPMN, parse_xml

__all__ = ["InvalidModelError", "read_processes"]


@lru_cache(maxsize=64)
def read_processes(content: bytes) -> tuple[Process, ...]:
    """Return the executable processes of a BPMN document.

    Raises:
        InvalidModelError: It is not well-formed, or something in it is wrong or not supported; says all of it.
    """
    document = parse_xml(content)
    findings = Findings()
    executable = [
        process for process in document.findall(f"{BPMN}process") if process.get("isExecutable") in {"true", "1"}
    ]
    if not executable:
        findings.add(document.get("id") or "definitions", "Must contain at least one executable process")
    processes = tuple(ProcessReader(document, process, findings).read() for process in executable)
    findings.check()
    return processes
