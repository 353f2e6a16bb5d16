"""Which tests reach into a private name to change it."""

import ast
from collections.abc import Iterator
from pathlib import Path

_PATCHES = frozenset({"setattr", "delattr", "setitem", "delitem", "object", "patch"})
"""Of `pytest.MonkeyPatch` and of `unittest.mock.patch`."""


def private_patches(source: str) -> list[str]:
    """Return each statement of a module that changes a private name of something else, as it is written."""
    return [ast.unparse(node) for node in ast.walk(ast.parse(source)) if _is_private_patch(node)]


def private_patches_of(folder: Path) -> Iterator[str]:
    """Yield `file: statement` for each of them in a folder's modules."""
    for file in sorted(folder.rglob("*.py")):
        for statement in private_patches(file.read_text(encoding="utf-8")):
            yield f"{file.relative_to(folder)}: {statement}"


def _is_private_patch(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)) if name in _PATCHES:
            return any(_names_a_private(argument) for argument in node.args[:2])
        case ast.Assign(targets=targets):
            return any(isinstance(each, ast.Attribute) and _is_foreign(each) for each in targets)
        case ast.AugAssign(target=ast.Attribute() as target) | ast.AnnAssign(target=ast.Attribute() as target):
            return _is_foreign(target)
    return False


def _names_a_private(argument: ast.expr) -> bool:
    match argument:
        case ast.Constant(value=str(text)):
            return any(_is_private(part) for part in text.split("."))
        case ast.Attribute():
            return _is_foreign(argument)
    return False


def _is_foreign(node: ast.Attribute) -> bool:
    """Tell whether the name is private to something else than the object itself."""
    return _is_private(node.attr) and not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"})


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")
