"""`truewind backtest`: run a configuration."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from truewind.cli.options import Config, Json, Set
from truewind.cli.progress import Step, progress

if TYPE_CHECKING:
    from truewind.domain.result import Result


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: truewind backtest configs/demo.yaml --set account.cash=5000 --json")(backtest)


def backtest(
    config: Config,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Run a backtest.

    It leaves a folder under runs/ with configuration, journal, tables, figures and report.
    """
    with progress(compiles=True) as step:
        result = execute(config, assignments or [], step)
    show(result, json)


def execute(config: Path, assignments: list[str], step: Step) -> "Result":
    """Run `config` on the program's lake, into its folder of runs."""
    from truewind.backtest.run import run
    from truewind.cli import settings

    program = settings.load()
    return run(
        config, overrides=assignments, lake=program.lake, runs=program.runs, database=program.database, progress=step
    )


def show(result: "Result", json: bool) -> None:
    """The result for a machine or a person."""
    from truewind.analytics import luck
    from truewind.analytics.report import load
    from truewind.cli.output import console, print_json

    report = load(result.run_dir)
    found = luck.assess(report)
    if json:
        print_json(
            {
                "run_id": result.run_id,
                "result_id": result.result_id,
                "run_dir": result.run_dir,
                "report": result.report,
                "data_snapshot": result.data_snapshot,
                **result.summary,
                "luck": luck.facts(found),
            }
        )
        return
    from truewind.analytics.sections import verdict
    from truewind.analytics.summary import table

    out = console()
    for sentence in verdict(report)[0]:
        out.print(sentence, markup=False, highlight=False)
    out.print()
    out.print(table(result.summary, {"sharpe": luck.in_short(found)}))
    out.print(f"\nreport  {result.report}", markup=False, soft_wrap=True)
