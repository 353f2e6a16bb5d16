"""The project around the library: its folders, its processes, and the participants in its folder `services`.

The library imports no process and no participant by name: it finds those that are there.
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]
"""The checkout, with the folders bpmn, workers and services."""
BPMN = ROOT / "bpmn"
"""Diagrams, forms and example variables."""
WORKERS = ROOT / "workers"
"""The library, and the processes beside it."""
_LIBRARY = __name__.partition(".")[0]


def processes() -> list[str]:
    """Return the import names of the packages beside the library in the folder `workers`; none is imported."""
    found = pkgutil.iter_modules([str(WORKERS)])
    return sorted(each.name for each in found if each.ispkg and each.name != _LIBRARY)


def ports() -> Mapping[str, int]:
    """Return the default TCP port of each service, by name; one that stands for a third party is among them."""
    found: Mapping[str, int] = import_module("services").PORTS
    return found


def participants() -> list[str]:
    """Name the services that a saga commands."""
    found: list[str] = import_module("services").participants()
    return found


def participant_library(module: str) -> ModuleType:
    """Import a module of the library that participants are written with."""
    return import_module(f"services.participant.{module}")
