"""What Camunda 8 calls the kinds of incidents, what to do about each, and what of its message may be shown."""

import re

_SET = "Set the instance's variables that it needs"
_MIGRATE = "deploy a mended diagram and migrate the instance to it"
NEXT = {
    "JOB_NO_RETRIES": "The worker gave up. Do what its message says (a wrong variable of the instance is set anew), "
    "then retry.",
    "EXECUTION_LISTENER_NO_RETRIES": "An execution listener gave up. Do what its message says, then retry.",
    "TASK_LISTENER_NO_RETRIES": "A listener of the user task gave up. Do what its message says, then retry.",
    "AD_HOC_SUB_PROCESS_NO_RETRIES": "The worker that chooses an ad-hoc subprocess's elements gave up. Do what its "
    "message says, then retry.",
    "UNHANDLED_ERROR_EVENT": "A step was refused with an error that nothing in the diagram catches. Mend what was "
    f"refused, or catch the error: {_MIGRATE}. Then retry: the job is given out again.",
    "IO_MAPPING_ERROR": f"A mapping of the element cannot be evaluated. {_SET}, or mend the mapping: {_MIGRATE}. "
    "Then retry.",
    "CONDITION_ERROR": f"No condition at the gateway holds, and it has no default flow. {_SET}, or {_MIGRATE}. "
    "Then retry.",
    "EXTRACT_VALUE_ERROR": "An expression (a condition, a correlation key, a timer, a job's type or retries) does not "
    f"have the type that it must have. {_SET}, or mend it: {_MIGRATE}. Then retry.",
    "CALLED_ELEMENT_ERROR": "The process that is called is not there. Deploy it under the id that the message names, "
    "then retry.",
    "CALLED_DECISION_ERROR": "The decision that is called is not there. Deploy it under the id that the message names, "
    "then retry.",
    "DECISION_EVALUATION_ERROR": f"The decision cannot be evaluated. {_SET}, or deploy a mended decision. Then retry.",
    "FORM_NOT_FOUND": "The form of the user task is not there. Deploy it under the id that the message names, then "
    "retry.",
    "RESOURCE_NOT_FOUND": "A resource that the element names, as a script or a document, is not deployed. Deploy it "
    "under the id that the message names, then retry.",
    "MESSAGE_SIZE_EXCEEDED": "The instance's variables are larger than the engine's records may be. Set smaller "
    "values for the large ones, then retry.",
    "UNKNOWN": "The cluster has no name for this kind. Do what the message says, then retry.",
    "UNSPECIFIED": "The engine names no kind. Do what the message says, then retry.",
}
"""A sentence or two for each kind that the v2 API names."""

_WRITTEN_BY_WORKERS = frozenset(
    {
        "JOB_NO_RETRIES",
        "EXECUTION_LISTENER_NO_RETRIES",
        "TASK_LISTENER_NO_RETRIES",
        "AD_HOC_SUB_PROCESS_NO_RETRIES",
        "UNHANDLED_ERROR_EVENT",
        "UNKNOWN",
    }
)
_WARNINGS = re.compile(r"\s*The evaluation reported the following warnings:")
_WARNING = re.compile(r"^\[([A-Z_]+)\](?: No variable found with name '([A-Za-z_]\w{0,63})'(?=;?[ ]*$))?", re.MULTILINE)
_FORMAT = re.compile(r"(?<= format )'.*'(?= for expression )", re.DOTALL)


def without_values(kind: str, message: str) -> str:
    """Return an incident's message without the variables' values that the engine quotes in it.

    The engine quotes them where an expression cannot be evaluated. What a worker wrote is the worker's business: ours
    write none.
    """
    if kind in _WRITTEN_BY_WORKERS:
        return message
    said, *warnings = _WARNINGS.split(message, maxsplit=1)
    said = _FORMAT.sub("(its value is in the cluster)", said)
    found = dict.fromkeys(f"{code} {name}".rstrip() for code, name in _WARNING.findall("".join(warnings)))
    return f"{said} Warnings, whose texts are in the cluster: {', '.join(found)}." if found else said
