"""An evaluation depends on its text, its context and its `Now` alone."""

import ast
import decimal
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

import saga.feel
from saga.feel import Now, parse, to_json
from tests.feel.test_golden import NOW

_PACKAGE = Path(saga.feel.__file__).parent
_TEXTS = (
    "now()",
    "today()",
    'date and time("2026-07-01T12:00:00@Europe/Berlin") - now()',
    'date and time("2026-03-29T02:30:00@Europe/Berlin") + duration("PT1H")',
    'date and time(@"2026-07-01T12:00:00", "America/New_York")',
    '@"10:00:00@Australia/Sydney"',
    "random number()",
    "uuid()",
)
_SCRIPT = """
import json, sys
from saga.feel import Now, parse
texts, zone = json.loads(sys.argv[1])
print(json.dumps([str(parse(text).evaluate({}, Now(1_773_500_966_000, zone, 7)).value) for text in texts]))
"""


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


def test_imports_only_the_standard_library_and_regex() -> None:
    allowed = sys.stdlib_module_names | {"regex"}
    for path in _PACKAGE.rglob("*.py"):
        depth = len(path.relative_to(_PACKAGE).parts)
        for level, module in _imports(path):
            assert level <= depth, f"{path.name} imports from outside of the package"
            assert level or module.split(".")[0] in allowed, f"{path.name} imports {module}"


def _answers(zone: str, **environment: str) -> list[str]:
    command = [sys.executable, "-c", _SCRIPT, json.dumps([_TEXTS, zone])]
    result = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=True, cwd=_PACKAGE.parents[1]
    )
    answers: list[str] = json.loads(result.stdout)
    return answers


def test_the_zone_and_the_zone_database_of_the_system_do_not_matter(tmp_path: Path) -> None:
    lie = tmp_path / "Europe" / "Berlin"
    lie.parent.mkdir()
    lie.write_bytes(files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes())
    first = _answers("Europe/Berlin", TZ="Asia/Kolkata", PYTHONTZPATH=str(tmp_path))
    second = _answers("Europe/Berlin", TZ="America/Los_Angeles", PYTHONTZPATH="", LC_ALL="C")
    assert first == second
    assert first[:2] == ["2026-03-14T16:09:26@Europe/Berlin", "2026-03-14"]
    assert first[4] == "2026-07-01T06:00:00@America/New_York"


def test_today_is_the_day_in_the_given_zone() -> None:
    midnight = Now(1_773_500_966_000 + 8 * 3_600_000, "Europe/Berlin", 7)
    assert str(parse("today()").evaluate({}, midnight).value) == "2026-03-15"
    assert str(parse("today()").evaluate({}, midnight._replace(zone="UTC")).value) == "2026-03-14"


def test_the_own_zone_may_be_an_offset_and_must_exist() -> None:
    assert str(parse("now()").evaluate({}, NOW._replace(zone="+02:00")).value) == "2026-03-14T17:09:26+02:00"
    assert parse("1").evaluate({}, NOW._replace(zone="Mars/Olympus")).value == 1
    answer = parse("now()").evaluate({}, NOW._replace(zone="Mars/Olympus"))
    assert answer.failure == "failed to evaluate expression 'now()' : there is no time zone 'Mars/Olympus'"


def test_the_same_seed_gives_the_same_random_values() -> None:
    expression = parse("[random number(), random number(), uuid(), uuid()]")
    first = to_json(expression.evaluate({}, NOW).value)
    assert to_json(expression.evaluate({}, NOW).value) == first
    assert to_json(expression.evaluate({}, NOW._replace(seed=8)).value) != first
    assert len({str(value) for value in first}) == 4


def test_the_decimal_context_of_the_thread_is_neither_used_nor_changed() -> None:
    text = (
        "[1 / 3 + 2 ** 0.5 - sqrt(2), decimal(2.567, 2), modulo(10, 3), stddev(1, 2, 4), floor(-1.5), string(1.10 * 2)]"
    )
    usual = parse(text).evaluate({}, NOW)
    with decimal.localcontext(prec=2, rounding=decimal.ROUND_UP) as context:
        context.clear_flags()
        assert parse(text).evaluate({}, NOW) == usual
        assert not any(context.flags.values())


class _Recorder(Mapping[str, object]):
    """Variables that remember who was asked for."""

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> object:
        self.asked.add(name)
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        message = "nobody may ask for all names"
        raise AssertionError(message)

    def __len__(self) -> int:
        message = "nobody may ask for the number of names"
        raise AssertionError(message)


def test_only_names_that_are_needed_are_looked_up() -> None:
    context = _Recorder({"a": 1, "b": 2, "c": 3, "xs": [{"c": 5}]})
    assert parse("if a = 1 then b else c").evaluate(context, NOW).value == 2
    assert context.asked == {"a", "b"}
    context.asked.clear()
    assert parse("xs[c > 4].c[1]").evaluate(context, NOW).value == 5
    assert context.asked == {"xs"}


def test_an_evaluation_changes_nothing_in_its_context() -> None:
    context = {"a": {"b": [1, {"c": 2}]}}
    before = json.dumps(context)
    parse('[context put(a, "b", 1), append(a.b, 2), a.b[1] + 1, sort(a.b, function(x, y) false)]').evaluate(
        context, NOW
    )
    assert json.dumps(context) == before
