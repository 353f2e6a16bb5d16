"""A soak: orders at a steady rate on the whole stack, each of whose parts is killed in turn.

`python -m tests.benchmarks.soak --minutes 60 --rate 3`. At the end every order must have ended as it should, each
effect must be there once, the memory of engine and workers must be flat, and the engine's data may have grown by what
is computed for so many orders. What came of it is in `results/soak.json`, and the exit status is 1 where anything does
not hold.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from rich.console import Console

from saga.clients.addresses import Addresses
from saga.kit.gateway.connection import open_channel
from saga.stack.stack import PARTS, Stack
from tests.benchmarks import soak_audit, soak_memory, soak_report
from tests.benchmarks.orders import embedded
from tests.benchmarks.orders.records import Records
from tests.benchmarks.soak_faults import Faults
from tests.benchmarks.soak_orders import Stream
from tests.stack import free_offset
from tests.world import World, eventually

_END_SECONDS = 300.0
"""The longest that the last orders may take to end."""
_KEPT = ("engine", "postgres", "logs")
"""The folders of the stack's data whose growth is told."""


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class ViolationsError(Exception):
    """Something that must always hold did not."""


@app.command()
def main(
    *,
    minutes: Annotated[float, typer.Option(min=1.0, help="How long orders come in.")] = 60.0,
    rate: Annotated[float, typer.Option(min=0.1, help="Orders per second.")] = 5.0,
    kill_minutes: Annotated[float, typer.Option(min=0.1, help="Minutes between two kills.")] = 2.0,
    keep: Annotated[bool, typer.Option(help="Keep the result beside the ones before.")] = True,
) -> None:
    """Run the stack under steady load and faults, and say what does not hold afterwards."""
    if minutes < 3 * kill_minutes:
        message = "three kills at least have to fit into the run: choose a smaller --kill-minutes"
        raise typer.BadParameter(message)
    console = Console(highlight=False, soft_wrap=True)
    try:
        asyncio.run(_soak(console, minutes=minutes, rate=rate, kill_minutes=kill_minutes, keep=keep))
    except ViolationsError as error:
        console.print(*error.__notes__, sep="\n")
        raise typer.Exit(1) from None


async def _soak(console: Console, *, minutes: float, rate: float, kill_minutes: float, keep: bool) -> None:
    offset = free_offset()
    async with (
        embedded.running(offset, PARTS) as stack,
        open_channel(Addresses.of(offset).engine) as channel,
        Records(stack.addresses["management"] or "") as records,
    ):
        console.log(f"The stack is up at port offset {offset}.")
        disk = _disk(stack)
        stream = Stream(channel, rate, Random(1))  # noqa: S311 - jitter, and the order of the kinds
        faults = Faults(stack, console.log)
        async with asyncio.TaskGroup() as watching:
            sampling = watching.create_task(faults.sample())
            async with asyncio.TaskGroup() as working:
                working.create_task(faults.run(minutes * 60, kill_minutes * 60))
                working.create_task(stream.run(minutes * 60))
            sampling.cancel()
        console.log(f"{len(stream.orders)} orders were placed; waiting for the last ones.")
        await _until_ended(records, len(stream.orders))
        async with World(stack.database_url) as world:  # only now: the database was killed meanwhile
            grown = {part: (disk[part], size) for part, size in _disk(stack).items()}
            found = await soak_audit.entries(stream, world)
            result = soak_report.result(
                stream=stream,
                faults=faults,
                found=found,
                engine=soak_report.Engine(
                    instances=(await records.instances())[0],
                    duplicates=await soak_audit.duplicates(records),
                    jobs_timed_out=await records.count("job", "TIMED_OUT"),
                ),
                minutes=minutes,
                disk=grown,
                violations=[
                    *(await soak_audit.violations(stream, found, world, records)),
                    *(each for part, lives in faults.lives.items() for each in soak_memory.violations(part, lives)),
                    *soak_audit.grown(stream.orders, grown["engine"][1] - grown["engine"][0]),
                    *faults.violations(),
                ],
            )
        if keep:
            soak_report.write(result)
        soak_report.show(result, console)
        if result.violations:
            raise ViolationsError


async def _until_ended(records: Records, orders: int) -> None:
    """Wait until the engine has no instance left; what still runs after the longest time is for the audit to say."""
    with suppress(AssertionError):
        await eventually(records.instances, lambda found: found[0] == found[1] >= orders, _END_SECONDS)


def _disk(stack: Stack) -> dict[str, int]:
    """Return the size in MB of each part's data."""
    return {part: round(_size(stack.layout.data / part) / 1e6) for part in _KEPT}


def _size(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # the parts delete files while we look
                total += Path(root, name).lstat().st_size
    return total


if __name__ == "__main__":
    app()
