"""The participants: HTTP services on PostgreSQL that an orchestrator commands.

Every package here but `participant` is one service and declares its `PORT`; there is no list to edit. One that
stands for a third party says `THIRD_PARTY = True`: no saga commands it.
"""

import importlib
import pkgutil
from types import ModuleType


def _packages() -> dict[str, ModuleType]:
    names = (found.name for found in pkgutil.iter_modules(__path__) if found.ispkg and found.name != "participant")
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


_PACKAGES = _packages()
PORTS: dict[str, int] = {name: package.PORT for name, package in _PACKAGES.items()}
"""The default TCP port of each service, by name."""


def participants() -> list[str]:
    """Name the services that a saga commands: all but those that stand for a third party."""
    return [name for name, package in _PACKAGES.items() if not getattr(package, "THIRD_PARTY", False)]
