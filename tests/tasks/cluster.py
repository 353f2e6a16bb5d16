"""A fake of the cluster's v2 API for user tasks, over real HTTP: strict where Camunda 8.8 to 8.10 is."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BASE = 2251799813685249
"""The first key of a cluster's first partition."""


class FakeCluster:
    """User tasks by key, as the API shows them, with their forms and variables."""

    def __init__(self) -> None:
        self.url = ""
        self.tasks: dict[int, dict[str, Any]] = {}
        self.forms: dict[int, str] = {}
        """Schemas of forms by the task's key."""
        self.variables: dict[int, list[dict[str, Any]]] = {}
        self.whole: dict[str, str] = {}
        """Whole values of variables that the search cuts, by the variable's key."""
        self.completed: dict[int, Any] = {}
        """With which variables each task was completed."""
        self.fails_with: tuple[int, str] | None = None
        """With which status and detail every command is refused."""
        self.password: str | None = None
        """The Basic credentials that are asked for."""

    def add(self, key: int = BASE + 3, form: object = None, **fields: object) -> int:
        """Add an open task; return its key."""
        self.tasks[key] = {
            "userTaskKey": str(key),
            "name": "Settle by hand",
            "elementId": "Task_SettleByHand",
            "state": "CREATED",
            "assignee": None,
            "candidateGroups": [],
            "candidateUsers": [],
            "creationDate": "2026-01-02T03:04:05.678Z",
            "completionDate": None,
            "dueDate": None,
            "followUpDate": None,
            "formKey": None,
            "externalFormReference": None,
            "processName": "Settle by hand",
            "processDefinitionId": "settle-by-hand",
            "processDefinitionVersion": 1,
            "processDefinitionKey": str(BASE),
            "processInstanceKey": str(BASE + 1),
            "elementInstanceKey": str(key - 1),
            "customHeaders": {},
            "tags": [],
            "priority": 50,
            "tenantId": "<default>",
            **fields,
        }
        if form is not None:
            self.forms[key] = form if isinstance(form, str) else json.dumps(form)
        self.variables[key] = []
        return key

    def set(self, key: int, name: str, value: object, scope: int = BASE + 1) -> None:
        """Give a task a variable."""
        self.variables[key].append(
            {
                "variableKey": str(BASE + 1000 + len(self.variables[key])),
                "name": name,
                "value": json.dumps(value),
                "scopeKey": str(scope),
                "processInstanceKey": str(BASE + 1),
                "isTruncated": False,
                "tenantId": "<default>",
            }
        )

    def get(self, path: str) -> tuple[int, object]:
        """Answer a GET."""
        match path.split("/")[2:]:
            case ["user-tasks", key] if int(key) in self.tasks:
                return 200, self.tasks[int(key)]
            case ["user-tasks", key, "form"] if int(key) in self.tasks:
                if int(key) not in self.forms:
                    return 204, None
                form = {"formKey": str(BASE), "formId": "f", "version": 1, "tenantId": "<default>"}
                return 200, {**form, "schema": self.forms[int(key)]}
            case ["variables", key] if key in self.whole:
                items = [item for items in self.variables.values() for item in items if item["variableKey"] == key]
                return 200, {**items[0], "value": self.whole[key], "isTruncated": False}
        return problem(404, f"Nothing at {path}")

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, object]:
        """Answer a POST."""
        match path.split("/")[2:]:
            case ["user-tasks", "search"]:
                state = body["filter"].get("state")
                return 200, page([task for task in self.tasks.values() if state in {None, task["state"]}], body)
            case ["user-tasks", key, "variables", "search"] if int(key) in self.tasks:
                return 200, page(sorted(self.variables[int(key)], key=lambda item: str(item["name"])), body)
            case ["user-tasks", key, command]:
                task = self.tasks.get(int(key))
                if self.fails_with is not None:
                    return problem(*self.fails_with)
                if task is None or task["state"] != "CREATED":
                    return problem(404, f"Expected to act on user task with key '{key}', but no such task was found")
                return self._assign(task, body) if command == "assignment" else self._complete(task, body)
        return problem(404, f"Nothing at {path}")

    def _assign(self, task: dict[str, Any], body: dict[str, Any]) -> tuple[int, object]:
        if set(body) - {"assignee", "allowOverride", "action"} or not body.get("assignee"):
            return problem(400, "No assignee provided.")
        if task["assignee"] is not None and not body.get("allowOverride", True):
            return problem(409, "Expected to assign user task, but it is assigned")
        task["assignee"] = body["assignee"]
        return 204, None

    def _complete(self, task: dict[str, Any], body: dict[str, Any]) -> tuple[int, object]:
        if set(body) - {"variables", "action"}:
            return problem(400, "Request property cannot be parsed")
        task["state"] = "COMPLETED"
        self.completed[int(task["userTaskKey"])] = body["variables"]
        return 204, None


def page(items: list[dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
    """One page of a search, two items long at most, so that whoever wants all has to go on."""
    after = int(body["page"].get("after") or 0)
    shown = items[after : after + 2]
    cursors = {"startCursor": str(after), "endCursor": str(after + len(shown))} if shown else {}
    return {"items": shown, "page": {"totalItems": len(items), "hasMoreTotalItems": False, **cursors}}


def problem(status: int, detail: str) -> tuple[int, object]:
    titles = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 409: "INVALID_STATE"}
    title = titles.get(status, "INTERNAL")
    return status, {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": "/"}


@contextmanager
def serving(cluster: FakeCluster) -> Iterator[None]:
    """Serve the fake at its `url`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(lambda: cluster.get(self.path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(lambda: cluster.post(self.path, body))

        def _answer(self, ask: Any) -> None:  # noqa: ANN401 - a closure
            refused = cluster.password is not None and self.headers["Authorization"] != cluster.password
            status, value = problem(401, "") if refused else ask()
            content = b"" if value is None else json.dumps(value).encode()
            self.send_response(status)
            kind = "application/problem+json" if status >= 400 else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        cluster.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
