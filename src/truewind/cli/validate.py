"""`truewind validate`: everything that can be asked of a backtest, and the gate's verdict."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from truewind.cli.options import Json, SampleSeed, Sweeps, Vary, Workers
from truewind.cli.progress import progress

if TYPE_CHECKING:
    from truewind.research.validate import Validation


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: truewind validate configs/demo.yaml --quick")(validate)


def validate(
    target: Annotated[
        str, typer.Argument(help="A backtest's YAML, or a run's id, the beginning of one, its folder, or latest.")
    ],
    assignments: Vary = None,
    sample: Annotated[int | None, typer.Option(help="Try so many settings, chosen at random; 200 if left out.")] = None,
    seed: SampleSeed = None,
    train: Annotated[
        str, typer.Option(help="Walk-forward: length of the span that settings are chosen on; a third if left out.")
    ] = "",
    test: Annotated[
        str, typer.Option(help="… of the span that they are then traded on; an eighth of the rest if left out.")
    ] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Smaller samples, for a first look.")] = False,
    out: Sweeps = Path("sweeps"),
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Ask everything that can be asked of a backtest before it is trusted, and let the gate judge.

    Runs it, tries its settings, walks forward, looks for overfitting, luck, leaks and fragile settings, and writes
    validation.json and the report anew. Without --set and a `sweep:` part, every parameter is varied within its
    declared bounds. Exit code 6 if the gate does not pass it.
    """
    from truewind.cli import settings
    from truewind.cli.failures import FAILED_CHECK
    from truewind.cli.sweep import ranges_and_values
    from truewind.research.validate import validate as run

    grid, overrides = ranges_and_values(assignments or [])
    program = settings.load()
    with progress(compiles=True) as step:
        done = run(
            target, grid, overrides=overrides, sample=sample, seed=seed, train=train, test=test,
            quick=quick, lake=program.lake, runs=program.runs, out=out, database=program.database, workers=workers,
            progress=step,
        )  # fmt: skip
    _show(done, json)
    if not done.judgement.passed:
        raise typer.Exit(FAILED_CHECK)


def _show(done: "Validation", json: bool) -> None:
    """The verdict for a machine or a person."""
    import msgspec

    from truewind.cli.output import console, print_json, print_table

    judgement = done.judgement
    if json:
        rules = msgspec.to_builtins(judgement)
        print_json({"run_id": done.run_dir.name, "run_dir": done.run_dir, "report": done.report, **rules, **done.found})
        return
    ordered = (*judgement.of("failed"), *judgement.of("not tested"), *judgement.of("passed"))
    print_table(["rule", "verdict", "why"], [(rule.title, rule.state, rule.sentence) for rule in ordered], "The gate")
    console().print(judgement.sentence, markup=False)
    console().print(f"report  {done.report}", markup=False, soft_wrap=True)
