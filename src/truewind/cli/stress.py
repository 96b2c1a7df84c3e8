"""`truewind stress`: a backtest under worse conditions, and on markets without patterns."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from truewind.cli.options import Config, Json, Set, Workers
from truewind.cli.progress import progress

if TYPE_CHECKING:
    from truewind.research.stress import StressTable


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: truewind stress configs/demo.yaml --gap 0.2 --markets 200")(stress)


def stress(
    config: Config,
    assignments: Set = None,
    gap: Annotated[
        float, typer.Option(min=0.001, max=0.9, help="How far prices jump against what is held, as a fraction.")
    ] = 0.10,
    markets: Annotated[
        int, typer.Option(min=0, help="Permuted markets to run on as well, and as many without drift; 0 for none.")
    ] = 0,
    block: Annotated[int, typer.Option(min=1, help="Bars that stay together on permuted markets.")] = 1,
    seed: Annotated[int, typer.Option(help="Chooses the markets.")] = 42,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Run a backtest again under shocks: higher costs, latency, a bar of delay, funding against it, a gap.

    With --markets also where there is no pattern to find: if it earns as much there, it had found none.
    """
    from truewind.backtest.settings import load_config
    from truewind.cli import settings
    from truewind.cli.output import console, print_json
    from truewind.research.markets import permuted
    from truewind.research.stress import stress as run

    program = settings.load()
    wanted = load_config(config, assignments or [])
    again: dict[str, Any] = {}
    with progress(compiles=True) as step:
        done = run(wanted, lake=program.lake, gap=gap, database=program.database, progress=step)
        for name, drift in (("permuted", True), ("noise", False)) if markets else ():
            again[name] = permuted(
                wanted, markets, seed=seed, block=block, drift=drift, lake=program.lake, database=program.database,
                workers=workers, progress=step,
            )  # fmt: skip
    if json:
        print_json({"stress": done.as_list(), **{name: found.as_dict() for name, found in again.items()}})
        return
    _print(done)
    for found in again.values():
        console().print(" ".join(found.said()), markup=False)


def _print(done: "StressTable") -> None:
    """A row a run, for people; what could not be run and why, below."""
    from truewind.analytics.figures import written
    from truewind.cli.output import console, print_table

    base = done.runs[0].figures["net_return"]
    rows = []
    for run in done.runs:
        if not run.figures:
            continue
        growth = run.figures["net_return"]
        change = None if growth is None or base is None or run is done.runs[0] else growth - base
        kinds = {"net_return": "fraction", "sharpe": "ratio", "max_drawdown": "fraction", "trades": "count"}
        values = {name: written(kind, run.figures[name]) for name, kind in kinds.items()}
        rows.append((run.name, values.pop("net_return"), written("fraction", change), *values.values(), run.note))
    print_table(
        ("", ">net return", ">change", ">sharpe", ">max drawdown", ">trades", "what was done"), rows,
        "The same run under shocks",
    )  # fmt: skip
    for run in done.runs:
        if not run.figures:
            console().print(f"{run.name}: {run.note}", markup=False)
