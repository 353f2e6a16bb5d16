"""Functions on contexts."""

# ruff: noqa: TID252 - relative, so that one rename moves the package

from typing import Any

from ..scope import Invalid, Run
from .base import ANY, CONTEXT, LIST, STRING, Builtin, builtin, variadic

Context = dict[str, Any]


def get_value(_run: Run, context: Context, key: str | list[Any]) -> Any:  # noqa: ANN401 - any FEEL value
    """Give an entry by its key or by a path of keys; null where there is none."""
    if isinstance(key, str):
        return context.get(key)
    if not key:
        return None
    value: Any = context
    for part in _keys(key):
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    return value


def _keys(keys: list[Any]) -> list[str]:
    if not all(isinstance(key, str) for key in keys):
        raise Invalid
    return keys


def get_entries(_run: Run, context: Context) -> list[Context]:
    """List the entries as contexts with key and value."""
    return [{"key": key, "value": value} for key, value in context.items()]


def put(_run: Run, context: Context, key: str | list[Any], value: object) -> Context | None:
    """Give the context with one more entry, at a key or at a path of keys."""
    keys = [key] if isinstance(key, str) else _keys(key)
    if not keys:
        return None
    result = dict(context)
    inner = result
    for part in keys[:-1]:
        below = inner.get(part)
        if below is not None and not isinstance(below, dict):
            raise Invalid
        inner[part] = dict(below or {})
        inner = inner[part]
    inner[keys[-1]] = value
    return result


def merge(run: Run, contexts: list[Any]) -> Context:
    """Give the entries of all contexts; later ones win."""
    result: Context = {}
    for context in contexts:
        if not isinstance(context, dict):
            raise Invalid
        run.charge(context)
        result.update(context)
    return result


def make_context(run: Run, entries: list[Any]) -> Context:
    """Make a context of entries with key and value."""
    result: Context = {}
    for entry in entries:
        if not isinstance(entry, dict) or "value" not in entry or not isinstance(entry.get("key"), str):
            message = f"expected a context with 'key' and 'value' but found '{run.quote(entry)}'"
            raise Invalid(message)
        result[entry["key"]] = entry["value"]
    return result


_KEY = (str, list)
FUNCTIONS: tuple[Builtin, ...] = (
    builtin("get value", get_value, context=CONTEXT, key=_KEY),
    builtin("get value", get_value, context=CONTEXT, keys=_KEY),
    builtin("get entries", get_entries, context=CONTEXT),
    builtin("context put", put, context=CONTEXT, key=_KEY, value=ANY),
    builtin("context put", put, context=CONTEXT, keys=_KEY, value=ANY),
    builtin("put", put, context=CONTEXT, key=STRING, value=ANY),
    variadic("context merge", merge, spread=True, contexts=LIST),
    variadic("put all", merge, spread=True, contexts=LIST),
    builtin("context", make_context, entries=LIST),
)
