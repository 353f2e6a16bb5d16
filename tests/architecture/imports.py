"""Who imports whom, read from the source: modules, rooms, circles and levels.

`python -m tests.architecture` prints the figures.
"""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.stack import ROOT

ROOTS = {ROOT / "workers": None, ROOT: ("services",)}
"""Where import names begin, and which folders there are ours; None is each of them."""
Graph = Mapping[str, frozenset[str]]
"""By name, what it imports."""


def modules() -> dict[str, Path]:
    """Return our modules by their import name."""
    found = {}
    for root, tops in ROOTS.items():
        for top in tops or [each.name for each in root.iterdir() if (each / "__init__.py").exists()]:
            for path in (root / top).rglob("*.py"):
                found[".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


def module_graph() -> dict[str, frozenset[str]]:
    """Return for each of our modules those that it imports, wherever in it the import stands."""
    ours = modules()
    return {name: frozenset(_imported(name, path, ours)) for name, path in ours.items()}


def _imported(name: str, path: Path, ours: Mapping[str, Path]) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for named in _named(tree, package):
        found = named
        while found and found not in ours:
            found = found.rpartition(".")[0]
        if found and found != name:
            yield found


def _named(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{each.name}" for each in node.names)


def room_of(module: str) -> str:
    """Return the room that a module lies in: a part of the library, a service, or a process."""
    top, *inner = module.split(".")
    if top == "saga" and inner:
        depth = 2 if inner[0] in {"kit", "operations"} and len(inner) > 1 else 1
        return ".".join([top, *inner[:depth]])
    return ".".join([top, *inner[:1]]) if top == "services" else top


def room_graph(graph: Graph) -> dict[str, frozenset[str]]:
    """Return for each room those that it imports from."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for module, imported in graph.items():
        rooms[room_of(module)] |= {room_of(each) for each in imported}
    return {room: frozenset(found - {room}) for room, found in rooms.items()}


def circle(graph: Graph) -> list[str]:
    """Return a circle of imports, empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def levels(graph: Graph) -> int:
    """Return the length of the longest way down; `graph` has no circle."""
    depth: dict[str, int] = {}
    for name in TopologicalSorter(graph).static_order():
        depth[name] = 1 + max((depth[each] for each in graph.get(name, ())), default=0)
    return max(depth.values())


def naming(words: Iterable[str]) -> list[str]:
    """Return the modules of the library whose code has one of `words`."""
    return sorted(
        name
        for name, path in modules().items()
        if name.startswith(("saga.", "services.participant")) and any(w in path.read_text("utf-8") for w in words)
    )
