"""The project's own parts: the engine, the participant services, the workers and the reconciler."""

import os
import sys
from collections.abc import Mapping

from saga.clients.ports import HOST, Ports
from saga.common import project
from saga.kit.definition.registry import discover_sagas
from saga.stack.layout import Layout
from saga.stack.parts import Part, http_probe


def engine(layout: Layout, ports: Ports) -> Part:
    """Return the part that runs the embedded engine, its log in the stack's data.

    `SAGA_ENGINE_VALUES=1` lets its records show variables and messages too; `SAGA_ENGINE_RETENTION=P7D` removes ended
    instances.
    """
    retention = os.environ.get("SAGA_ENGINE_RETENTION")
    return Part(
        name="engine",
        command=[
            *(sys.executable, "-m", "saga.cli", "engine"),
            *("--data", str(layout.engine)),
            *("--port", str(ports.zeebe)),
            *("--rest-port", str(ports.rest)),
            *("--management-port", str(ports.management)),
            *(["--values"] if os.environ.get("SAGA_ENGINE_VALUES") == "1" else []),
            *(["--retention", retention] if retention else []),
        ],
        ready=http_probe(f"http://{HOST}:{ports.management}/ready"),
    )


def service(name: str, ports: Ports, environment: Mapping[str, str]) -> Part:
    """Return the part of the participant `name`."""
    port = ports.services[name]
    return Part(
        name=name,
        command=[sys.executable, "-m", "saga.cli", "services", name],
        environment={**environment, "HOST": HOST, "PORT": str(port)},
        needs=frozenset({"postgres"}),
        ready=http_probe(f"http://{HOST}:{port}/ready"),
    )


def workers(layout: Layout, ports: Ports, environment: Mapping[str, str]) -> Part:
    """Return the part that runs every step."""
    own = {"WORKER_HOST": HOST, "WORKER_PORT": str(ports.workers), "WORKER_STATE": str(layout.data / "workers")}
    return Part(
        name="workers",
        command=[sys.executable, "-m", "saga.cli", "workers"],
        environment={**environment, **own},
        needs=frozenset({"engine", *project.ports()}),
        ready=http_probe(f"http://{HOST}:{ports.workers}/ready"),
    )


def reconciler(ports: Ports, environment: Mapping[str, str]) -> Part:
    """Return the part that settles what instances leave behind."""
    own = {"RECONCILER_HOST": HOST, "RECONCILER_PORT": str(ports.reconciler)}
    return Part(
        name="reconciler",
        command=[sys.executable, "-m", "saga.cli", "reconcile", "--watch"],
        environment={**environment, **own},
        needs=frozenset({"engine", *project.ports()}),
        ready=http_probe(f"http://{HOST}:{ports.reconciler}/ready"),
    )


def events_url(urls: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that says where participants deliver their events; none where no process has a timeline."""
    timelines = (each.timeline for each in discover_sagas().definitions)
    found = next((each for each in timelines if each), None)
    own = f"{urls[f'{found.participant.upper()}_URL'].rstrip('/')}{found.receives}" if found else ""
    url = os.environ.get("EVENTS_URL") or own
    return {"EVENTS_URL": url} if url else {}
