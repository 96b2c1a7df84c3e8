"""`truewind sweep`: one backtest with many settings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from truewind.cli.options import Figure, Json, SampleSeed, SweepConfig, Sweeps, Vary, Workers
from truewind.cli.progress import progress


def register(app: typer.Typer) -> None:
    app.command(
        epilog="Example: truewind sweep configs/demo.yaml --set strategy.params.entry=20:80:10 "
        "--set strategy.params.exit=5:40:5"
    )(sweep)


def sweep(
    config: SweepConfig,
    assignments: Vary = None,
    sample: Annotated[int | None, typer.Option(help="Try so many of them, chosen at random by the seed.")] = None,
    all_params: Annotated[
        bool, typer.Option("--all-params", help="Vary every parameter within its declared bounds; with --sample.")
    ] = False,
    seed: SampleSeed = None,
    by: Figure = "sharpe",
    out: Sweeps = Path("sweeps"),
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Try a backtest with many settings, on all cores.

    A sweep that was broken off goes on where it was. It leaves a table and a picture under sweeps/.
    """
    from truewind.analytics.figures import FIGURES, show
    from truewind.cli import settings
    from truewind.cli.output import console, print_json, print_table
    from truewind.engine.trials import Figures
    from truewind.errors import ConfigError, suggest
    from truewind.research.sweeps import sweep as run

    if by not in Figures._fields:
        raise ConfigError(f"A trial has no figure '{by}'", remedy=suggest(by, Figures._fields))
    grid, overrides = ranges_and_values(assignments or [])
    program = settings.load()
    with progress(compiles=True) as step:
        done = run(
            config, grid, overrides=overrides, sample=sample, seed=seed, lake=program.lake, out=out, workers=workers,
            progress=step, all_params=all_params, database=program.database,
        )  # fmt: skip
    if json:
        print_json(
            {
                "trials": len(done.table),
                "failed": done.table["error"].count(),
                "seconds": done.seconds,
                "folder": done.folder,
                "report": done.report,
                "best": done.best(by).to_dicts(),
            }
        )
        return
    usual = ("net_return", "sharpe", "max_drawdown", "trades", "fees", "final_equity")
    shown = (*done.keys, *([] if by in usual else [by]), *usual)
    names = [f">{FIGURES[name].label if name in FIGURES else name.rpartition('.')[2]}" for name in shown]
    rows = done.best(by).select(shown).to_dicts()
    cells = ([show(name, value) if name in FIGURES else value for name, value in row.items()] for row in rows)
    print_table(names, cells, f"The best by {by}")
    failed = done.table["error"].count()
    note = f", {failed} without figures (see the table's `error`)" if failed else ""
    console().print(f"{len(done.table)} trials of {done.bars} bars in {done.seconds:.1f} s{note}", markup=False)
    console().print(f"report  {done.report}", markup=False, soft_wrap=True)


def ranges_and_values(assignments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Of `--set`: what is to be varied, as a grid, and what is one value for all trials, as overrides."""
    import yaml

    from truewind.research.space import is_range

    grid: dict[str, Any] = {}
    overrides = []
    for assignment in assignments:
        key, _, values = assignment.partition("=")
        if is_range(values):
            grid[key.strip()] = yaml.safe_load(values) if values.lstrip().startswith("[") else values
        else:
            overrides.append(assignment)
    return grid, overrides
