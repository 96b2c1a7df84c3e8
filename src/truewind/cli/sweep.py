"""`truewind sweep`: one backtest with many settings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from truewind.cli.output import Json
from truewind.cli.progress import progress


def register(app: typer.Typer) -> None:
    app.command(
        epilog="Example: truewind sweep configs/demo.yaml --set strategy.params.entry=20:80:10 "
        "--set strategy.params.exit=5:40:5"
    )(sweep)


def sweep(
    config: Annotated[Path, typer.Argument(help="The backtest's YAML, perhaps with a `sweep:` part.")],
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUES",
            help="Vary a setting: KEY=5:15, KEY=0.5:3:0.25, KEY=[1,2,5], KEY=0.5..4 (any number; needs --sample), "
            "KEY=auto:8 (over the bounds that the strategy declares). "
            "KEY=VALUE changes it for all trials. Repeatable.",
        ),
    ] = None,
    sample: Annotated[int | None, typer.Option(help="Try so many of them, chosen at random by the seed.")] = None,
    all_params: Annotated[
        bool, typer.Option("--all-params", help="Vary every parameter within its declared bounds; with --sample.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Chooses the sample.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of sweeps.")] = Path("sweeps"),
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; all cores if left out.")] = None,
    sort: Annotated[str, typer.Option(help="Figure by which the best are shown.")] = "sharpe",
    json: Json = False,
) -> None:
    """Try a backtest with many settings, on all cores.

    A sweep that was broken off goes on where it was. It leaves a table and a picture under sweeps/.
    """
    from truewind.cli import settings
    from truewind.cli.output import console, print_json, print_table
    from truewind.engine.trials import Figures
    from truewind.errors import ConfigError, suggest
    from truewind.research.sweeps import sweep as run

    if sort not in Figures._fields:
        raise ConfigError(f"A trial has no figure '{sort}'", remedy=suggest(sort, Figures._fields))
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
                "best": done.best(sort).to_dicts(),
            }
        )
        return
    usual = ("net_return", "sharpe", "max_drawdown", "trades", "fees", "final_equity")
    shown = (*done.keys, *([] if sort in usual else [sort]), *usual)
    names = [f">{name.rpartition('.')[2]}" for name in shown]
    print_table(names, done.best(sort).select(shown).iter_rows(), f"The best by {sort}")
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
