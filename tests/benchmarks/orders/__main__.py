"""`python -m tests.benchmarks.orders`: this measurement by itself, with the CPU time of each part."""

import asyncio
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from saga.cli.options import PortOffset
from tests.benchmarks.orders.run import SETS, Batch, Sample, run

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    repetitions: Annotated[int, typer.Option(min=1, help="Batches of each worker set.")] = 5,
    orders: Annotated[int, typer.Option(min=1, help="Orders per batch.")] = 300,
    port_offset: PortOffset = 0,
) -> None:
    """Measure both worker sets in turn and print what each order cost."""
    samples = asyncio.run(run(port_offset, repetitions, orders))
    console = Console(highlight=False)
    console.print(_table(samples))
    ratios = sorted(sample.ratio for sample in samples)
    alone = " ".join(f"{sample.participants:.1f}" for sample in samples)
    console.print(f"The participants alone, orders/s: {alone}")
    console.print(f"ours / plain: min {ratios[0]:.2f}, median {median(ratios):.2f}, max {ratios[-1]:.2f}")


def _table(samples: list[Sample]) -> Table:
    parts = samples[0].ours.cpu
    table = Table("Workers", "Orders/s", *(f"{part}, ms" for part in parts), title="CPU time per order by part")
    for name in SETS:
        batches: list[Batch] = [getattr(sample, name) for sample in samples]
        speeds = " ".join(f"{batch.per_second:.1f}" for batch in batches)
        costs = (median(batch.cpu_per_order(part) for batch in batches) * 1000 for part in parts)
        table.add_row(name, speeds, *(f"{cost:.1f}" for cost in costs))
    return table


if __name__ == "__main__":
    app()
