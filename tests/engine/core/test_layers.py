"""What the core may know: no clock, no chance, no thread, nothing of the parts that use it."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.imports import circle, module_graph

CORE = Path(__file__).parents[3] / "workers" / "saga" / "engine" / "core"
MODULES = sorted(CORE.rglob("*.py"))
OTHERS = {"lxml", "msgspec"}
FORBIDDEN = {
    *("asyncio", "concurrent", "io", "multiprocessing", "os", "pathlib", "queue", "random", "secrets"),
    *("select", "selectors", "signal", "socket", "sqlite3", "subprocess", "threading", "time", "uuid", "zoneinfo"),
}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield what a module imports, as (dots in front, name)."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CORE)))
def test_a_module_of_the_core_imports_what_it_may(path: Path) -> None:
    depth = len(path.relative_to(CORE).parts)
    for level, name in imports(path):
        top = name.split(".")[0]
        if level == 0:
            assert top in OTHERS or (top in sys.stdlib_module_names and top not in FORBIDDEN), name
        elif level > depth:
            assert (level, top) == (depth + 2, "feel"), f"{'.' * level}{name}"


def test_no_module_of_the_core_asks_for_the_time() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in {"today", "utcnow"}, path
                assert ast.unparse(node.func) not in {"datetime.now", "datetime.datetime.now"}, path


def test_imports_stand_at_the_top_of_a_module() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.If):
                assert not [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)], path


def test_no_module_of_the_core_imports_itself_by_way_of_others() -> None:
    core = {name: found for name, found in module_graph().items() if name.startswith("saga.engine.core")}
    assert core
    assert circle(core) == []


def test_only_apply_and_the_state_itself_change_the_state() -> None:
    changing = {"put", "drop", "change", "index", "unindex", "enter", "leave", "offer", "take", "expect", "count_token"}
    for path in MODULES:
        if path.parent.name == "apply" or path.name == "state.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in changing:
                target = ast.unparse(node)
                assert not target.startswith(("work.state.", "state.")), f"{path.name}: {target}"
                assert not target.startswith("self.state.") or "executables" in target, f"{path.name}: {target}"
