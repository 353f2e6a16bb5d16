"""README and docs stay true: every command that they show is run, or is known to be run elsewhere."""

import asyncio
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyzeebe import ZeebeClient

import services
from saga.clients.addresses import Addresses
from saga.clients.instances import Instances
from saga.stack.node import ensure_zbctl
from tests.parts import missing
from tests.proxy import HoldingProxy
from tests.stack import ROOT, Stack
from tests.world import World, eventually

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "bpmn" / "README.md")
COMMANDS = [
    command
    for page in PAGES[:-1]
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for command in (re.sub(r"\s+# .*", "", line) for line in block.splitlines())
    if command
]
ELSEWHERE = {
    "make demo": "the same target with ARGS=--exit is run below",
    "make test": "is what runs this",
    "make docs": "is run by a test of its own, which puts back what it writes",
    "make lint": "is run by .ci/run before this",
    'saga cancel 4712 --reason "the customer called" --yes': "needs an order that stands still: a test of its own",
    "saga compensate 2251799813685249 --yes": "the same, and this instance's key in place of that",
    "saga incidents explain 4711": "needs an order that stands still: tests/cli/test_incidents.py makes one",
    "saga incidents retry --order 4711 --yes --count 1": "the same",
    "saga down": "would end the suite's own stack: tests/cluster and the end of the suite run it",
}


def test_what_is_run_elsewhere_is_still_shown() -> None:
    assert set(ELSEWHERE) <= set(COMMANDS)
    assert "make lint" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in ELSEWHERE])
def test_a_command_of_the_readme_works_as_written(stack: Stack, addresses: Addresses, command: str) -> None:
    environment = {}
    if command.startswith("zbctl "):
        environment["ZEEBE_ADDRESS"] = addresses.engine.address
        command = f"{shlex.quote(str(ensure_zbctl()))} {command.removeprefix('zbctl ')}"
    if command.startswith("curl "):
        if shutil.which("curl") is None:
            missing("no curl: a package of every distribution")
        command = command.replace(".saga/stack-0", f"{stack.environment['SAGA_HOME']}/stack-{stack.offset}")
        for name, port in services.PORTS.items():
            command = command.replace(f"http://127.0.0.1:{port}", addresses.service(name))
        command = command.replace("http://127.0.0.1:8088", addresses.rest or "")
    done = stack.run("bash", "-euc", command, environment=environment)
    assert done.status == 0, done.output + done.errors


async def test_the_order_that_the_readme_publishes_is_carried_out(
    stack: Stack, addresses: Addresses, world: World
) -> None:
    (command,) = [command for command in COMMANDS if "publish message OrderPlaced" in command]
    program = f"{shlex.quote(str(ensure_zbctl()))} {command.removeprefix('zbctl ')}"
    # Published already by the test above, or by this one: its messageId lets it in once.
    stack.run("bash", "-euc", program, environment={"ZEEBE_ADDRESS": addresses.engine.address})
    effects = await eventually(
        lambda: world.effects("4711"), lambda effects: bool(effects.shipped) or effects.status == "cancelled"
    )
    assert effects.claims == 1


@pytest.mark.parametrize("command", [command for command in COMMANDS if re.match("saga (cancel|compensate)", command)])
async def test_an_order_that_stands_still_is_undone_as_the_readme_shows(
    stack: Stack,
    engine: ZeebeClient,
    instances: Instances,
    world: World,
    payment_proxy: HoldingProxy,
    new_order: Callable[..., dict[str, Any]],
    command: str,
) -> None:
    named = command.split()[2]
    order = new_order(orderId="4712") if named == "4712" else new_order()
    with payment_proxy.hold_replies("PUT", f"/payments/{order['orderId']}") as held:
        instance = (await engine.run_process("order-fulfillment", order)).process_instance_key
        await asyncio.to_thread(held.wait_until_applied)
        await eventually(lambda: instances.has_active("orderId", order["orderId"]), bool)
        written = command.replace("2251799813685249", str(instance))
        done = await asyncio.to_thread(stack.run, "bash", "-euc", written)
    assert done.status == 0, done.output + done.errors
    effects = await world.effects(order["orderId"])
    assert (effects.status, effects.captured, effects.shipped) == ("cancelled", effects.refunded, 0)


async def test_the_order_that_the_readme_s_shop_sends_is_kept(stack: Stack, addresses: Addresses, world: World) -> None:
    (command,) = [command for command in COMMANDS if command.startswith("curl ") and "place-order" in command]
    test_a_command_of_the_readme_works_as_written(stack, addresses, command)
    assert await world.fetch("SELECT order_id FROM orders.placements WHERE order_id = '4711'") == [{"order_id": "4711"}]


@pytest.mark.long
def test_what_make_docs_writes_is_what_is_committed(tmp_path: Path) -> None:
    written = (ROOT / "README.md", ROOT / "docs" / "order-fulfillment.svg")
    before = [file.read_bytes() for file in written]
    try:
        done = Stack(tmp_path, {}).run("make", "docs")
        after = [file.read_bytes() for file in written]
    finally:
        for file, content in zip(written, before, strict=True):
            file.write_bytes(content)
    assert done.status == 0, done.output + done.errors
    assert after[0] == before[0], "run `make docs`"


def test_make_demo_ends_by_itself_and_shows_each_path(stack: Stack) -> None:
    done = stack.run("make", "demo", "ARGS=--exit")
    assert done.status == 0, done.output + done.errors
    for seen in (
        "PAYMENT_DECLINED",
        "Refund payment → Release inventory → Cancel order",
        "duplicate",
        "instance 225",
    ):
        assert seen in done.output


def test_the_zbctl_lines_that_the_demo_prints_work_as_printed(stack: Stack) -> None:
    printed = stack.saga("demo", "--exit").output.splitlines()
    lines = [line for line in printed if "zbctl" in line and " --insecure " in line]
    assert len(lines) == 4
    for line in lines:
        done = stack.run("bash", "-euc", line)
        assert done.status == 0, f"{line}\n{done.output}{done.errors}"


def test_the_step_that_the_docs_show_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    (example,) = re.findall(
        r"<!-- example: workers/order_fulfillment/steps/(\w+)\.py -->\n```python\n(.*?)^```",
        page,
        re.MULTILINE | re.DOTALL,
    )
    name, source = example
    package = tmp_path / "shown"
    shutil.copytree(ROOT / "workers" / "order_fulfillment" / "steps", package)
    (package / f"{name}.py").write_text(source)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import shown; from saga.clients.addresses import Addresses; "
        "from saga.kit.definition.discovery import discover, handlers; "
        "found = handlers(discover(shown)); print(*found); "
        "[Addresses.of(0).service(name) for handler in found.values() for name in handler.services]"
    )
    unnamed = Stack(tmp_path, {}).run("python", "-c", program, str(tmp_path))
    assert "Set GIFTS_URL" in unnamed.errors
    done = Stack(tmp_path, {"GIFTS_URL": "http://127.0.0.1:9"}).run("python", "-c", program, str(tmp_path))
    assert done.status == 0, done.errors
    assert {"wrap-gift", "unwrap-gift", "accept-order"} <= set(done.output.split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_section_that_a_page_links_to_exists(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)\s]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not is_there(page, link)] == []


def is_there(page: Path, link: str) -> bool:
    file, _, section = link.partition("#")
    target = page.parent / file if file else page
    return target.exists() and (not section or section in sections(target))


def sections(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_decision_is_in_the_index() -> None:
    decisions = {path.name for path in (ROOT / "docs" / "adr").glob("0*.md")}
    assert set(re.findall(r"\]\((0[^)]+)\) \|", (ROOT / "docs" / "adr" / "README.md").read_text())) >= decisions
