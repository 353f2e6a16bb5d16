"""Imports libraries without what a part of the stack never uses: half of its start, and a third of its memory.

Each stays the library's own code; an import of what was left out gets it afterwards, but for `_OPTIONAL`, which its
libraries can do without.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import cast

_OPTIONAL = (
    "httpx._main",  # httpx's command line, with rich, pygments and click
    "pydantic.v1",  # FastAPI looks whether a model is one of pydantic 1
)


def prepare_part() -> None:
    """Leave out what libraries bring for terminals and for the past; call it before anything imports them."""
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    for name in _OPTIONAL:
        modules.setdefault(name, None)  # Python's own way to say that there is no such module
    if "rich" not in modules:
        modules["rich"] = None
        try:
            # With rich it would draw tracebacks; ours are lists of frames, whose values nobody shall read.
            import_module("structlog")
        finally:
            del modules["rich"]


def prepare_service() -> None:
    """Leave out SQLAlchemy's ORM, which its asyncio package imports and no service uses."""
    prepare_part()
    with package_without_init("sqlalchemy.ext.asyncio"):
        import_module("sqlalchemy.ext.asyncio.engine")


@contextmanager
def package_without_init(name: str) -> Iterator[None]:
    """Let modules of a package be imported without running its `__init__`; afterwards the package is the real one."""
    spec = None if name in sys.modules else find_spec(name)
    if spec is None:
        yield
        return
    stand_in = ModuleType(name)
    stand_in.__path__ = list(spec.submodule_search_locations or ())
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        del sys.modules[name]
