"""An engine's core, and what a test asks of it."""

import json
from collections.abc import Iterator
from typing import Any

from saga.engine.core import Answer, Command, Engine, Record, Rejection

START = 1_000_000


class Bench:
    """A core with its log and a clock; every answer's records are kept."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.log: list[Record] = self.engine.begin(seed=7, first_key=1, now=START)
        self.now = START
        self.results: dict[int, dict[str, Any]] = {}

    def send(self, value_type: str, intent: str, key: int = -1, **value: Any) -> Answer:  # noqa: ANN401 - any command
        """Carry out a command with all that follows from it."""
        answer = self.engine.process(Command(value_type, intent, key, value), self.now)
        self._keep(answer)
        for more in self.drain():
            answer.activatable += more.activatable
            answer.records += more.records
        return answer

    def drain(self) -> list[Answer]:
        """Carry out what the last command has left over."""
        answers = []
        while self.engine.has_pending():
            answers.append(self.engine.resume(self.now))
            self._keep(answers[-1])
        return answers

    def _keep(self, answer: Answer) -> None:
        self.log += answer.records
        self.results |= {key: json.loads(text) for key, text in answer.results.items()}

    def do(self, value_type: str, intent: str, key: int = -1, **value: Any) -> dict[str, Any]:  # noqa: ANN401 - the same
        """Carry out a command that is not refused."""
        response = self.send(value_type, intent, key, **value).response
        assert not isinstance(response, Rejection), response
        return response

    def refused(self, value_type: str, intent: str, key: int = -1, **value: Any) -> Rejection:  # noqa: ANN401 - the same
        """Carry out a command that is refused, and changes nothing."""
        before = self.engine.digest()
        response = self.send(value_type, intent, key, **value).response
        assert isinstance(response, Rejection)
        assert self.engine.digest() == before
        return response

    def wait(self, milliseconds: int) -> None:
        """Let time pass, and what is due happen."""
        self.now += milliseconds
        for command in self.engine.due(self.now):
            self.send(command.value_type, command.intent, command.key)

    def deploy(self, *resources: bytes, name: str = "process.bpmn") -> dict[str, Any]:
        """Deploy diagrams, named by their numbers where there are several."""
        given = [
            {"resourceName": name if len(resources) == 1 else f"{number}-{name}", "resource": resource}
            for number, resource in enumerate(resources)
        ]
        return self.do("DEPLOYMENT", "CREATE", resources=given)

    def refused_deployment(self, *resources: bytes, name: str = "process.bpmn") -> str:
        """Deploy diagrams that are refused, and return the reason."""
        given = [{"resourceName": f"{number}-{name}", "resource": found} for number, found in enumerate(resources)]
        rejection = self.refused("DEPLOYMENT", "CREATE", resources=given)
        assert rejection.code == "INVALID_ARGUMENT"
        return rejection.reason

    def create(self, process: str = "p", *, starts: list[str] | None = None, **variables: Any) -> int:  # noqa: ANN401 - any JSON
        """Start an instance whose result is waited for, and return its key."""
        value = creation(process, starts=starts, variables=json.dumps(variables))
        response = self.do("PROCESS_INSTANCE_CREATION", "CREATE_WITH_AWAITING_RESULT", **value)
        return int(response["processInstanceKey"])

    def activate(self, job_type: str, most: int = 100, timeout: int = 60_000, *fetch: str) -> list[dict[str, Any]]:
        """Lease jobs."""
        response = self.do(
            "JOB_BATCH",
            "ACTIVATE",
            type=job_type,
            worker="w",
            timeout=timeout,
            maxJobsToActivate=most,
            fetchVariables=list(fetch),
        )
        return [{**job, "variables": json.loads(job["variables"])} for job in response["jobs"]]

    def job(self, job_type: str) -> dict[str, Any]:
        """Lease the one job of a type that there is."""
        (job,) = self.activate(job_type)
        return job

    def complete(self, job_type: str, **variables: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        """Lease the one job of a type and complete it."""
        job = self.job(job_type)
        self.do("JOB", "COMPLETE", job["key"], variables=json.dumps(variables))
        return job

    def fail(self, key: int, retries: int, message: str = "", backoff: int = 0, **variables: Any) -> None:  # noqa: ANN401 - any JSON
        """Fail a job."""
        self.do(
            "JOB",
            "FAIL",
            key,
            retries=retries,
            retryBackoff=backoff,
            errorMessage=message,
            variables=json.dumps(variables),
        )

    def throw(self, key: int, code: str, message: str = "", **variables: Any) -> None:  # noqa: ANN401 - any JSON
        """Throw an error from a job."""
        self.do("JOB", "THROW_ERROR", key, errorCode=code, errorMessage=message, variables=json.dumps(variables))

    def publish(
        self,
        name: str,
        key: str = "",
        *,
        ttl: int = 0,
        message_id: str = "",
        **variables: Any,  # noqa: ANN401 - any JSON
    ) -> int:
        """Publish a message and return its key."""
        response = self.do(
            "MESSAGE",
            "PUBLISH",
            name=name,
            correlationKey=key,
            messageId=message_id,
            timeToLive=ttl,
            variables=json.dumps(variables),
        )
        return int(response["messageKey"])

    def correlate(self, name: str, key: str = "", **variables: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        """Correlate a message at once."""
        given = json.dumps(variables)
        return self.do("MESSAGE_CORRELATION", "CORRELATE", name=name, correlationKey=key, variables=given)

    def set_variables(self, scope: int, *, local: bool = False, **variables: Any) -> None:  # noqa: ANN401 - any JSON
        """Set variables of a scope."""
        self.do(
            "VARIABLE_DOCUMENT",
            "UPDATE",
            scopeKey=scope,
            variables=json.dumps(variables),
            updateSemantics="LOCAL" if local else "PROPAGATE",
        )

    def modify(self, instance: int, *activate: dict[str, Any], terminate: tuple[int, ...] = ()) -> None:
        """Modify an instance."""
        self.do("PROCESS_INSTANCE_MODIFICATION", "MODIFY", instance, **modification(*activate, terminate=terminate))

    def events(self, value_type: str, *intents: str) -> Iterator[Record]:
        """Return the events of the log of a type, and of some intents if any are named."""
        of_type = (r for r in self.log if r.record_type == "EVENT" and r.value_type == value_type)
        return (record for record in of_type if not intents or record.intent in intents)

    def incidents(self) -> list[dict[str, Any]]:
        """Return the open incidents, oldest first, each with its key."""
        closed = {record.key for record in self.events("INCIDENT", "RESOLVED")}
        return [
            {**record.value, "key": record.key}
            for record in self.events("INCIDENT", "CREATED")
            if record.key not in closed
        ]

    def incident(self) -> dict[str, Any]:
        """Return the one incident that is open."""
        (incident,) = self.incidents()
        return incident

    def resolve(self) -> None:
        """Resolve the one incident that is open."""
        self.do("INCIDENT", "RESOLVE", self.incident()["key"])

    def key_of(self, element: str) -> int:
        """Return the key of the element's instance that was activated last."""
        keys = [r.key for r in self.events("PROCESS_INSTANCE", "ELEMENT_ACTIVATING") if r.value["elementId"] == element]
        return keys[-1]

    def variables(self, scope: int) -> dict[str, Any]:
        """Return the variables that a scope has had at the end of its life, or has now."""
        found = [record.value for record in self.events("VARIABLE") if record.value["scopeKey"] == scope]
        return {value["name"]: json.loads(value["value"]) for value in found}

    def jobs(self, job_type: str) -> list[int]:
        """Return the keys of the jobs of a type that are alive."""
        return sorted(job.key for job in self.engine.state.tables.jobs.values() if job.type == job_type)

    def path(self, instance: int, intent: str = "ELEMENT_COMPLETED") -> list[str]:
        """Return the elements of an instance that have come to a point of their life, in that order."""
        return [
            record.value["elementId"]
            for record in self.events("PROCESS_INSTANCE", intent)
            if record.value["processInstanceKey"] == instance
        ]

    def fate(self, instance: int) -> str:
        """Say how an instance stands: ACTIVE, COMPLETED or TERMINATED."""
        ended = [
            record.intent.removeprefix("ELEMENT_")
            for record in self.events("PROCESS_INSTANCE", "ELEMENT_COMPLETED", "ELEMENT_TERMINATED")
            if record.key == instance
        ]
        return ended[0] if ended else "ACTIVE"


def creation(process: str = "p", *, starts: list[str] | None = None, variables: str = "{}") -> dict[str, Any]:
    """Return the value of a command that creates an instance."""
    return {
        "bpmnProcessId": process,
        "version": -1,
        "processDefinitionKey": -1,
        "variables": variables,
        "startInstructions": [{"elementId": start} for start in starts or []],
        "fetchVariables": [],
    }


def activation(element: str, **variables: dict[str, Any]) -> dict[str, Any]:
    """Ask for an element to be activated, with variables by scope; the scope `root` is the instance."""
    given = [
        {"elementId": "" if scope == "root" else scope, "variables": json.dumps(values)}
        for scope, values in variables.items()
    ]
    return {"elementId": element, "ancestorScopeKey": -1, "variableInstructions": given}


def modification(*activate: dict[str, Any], terminate: tuple[int, ...] = ()) -> dict[str, Any]:
    """Return a modification's value."""
    return {
        "activateInstructions": list(activate),
        "terminateInstructions": [{"elementInstanceKey": key} for key in terminate],
    }
