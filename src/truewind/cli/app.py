"""The command tree."""

import os
import sys
from typing import Annotated

import typer

from truewind.cli import (
    backtest,
    check,
    config,
    data,
    demo,
    doctor,
    download,
    exchange,
    features,
    lookahead,
    metrics,
    new,
    paper,
    record,
    refresh,
    report,
    risk,
    strategy,
    stress,
    sweep,
    trials,
    universe,
    validate,
    walkforward,
)

app = typer.Typer(
    help="From market data to features, honest backtests and live trading: the same numbers at every stage.",
    epilog="Start with: truewind demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # failures.py decides what is shown
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from truewind import __version__

        print(f"truewind {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and leave.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    # A user's own features and strategies lie where he works; last, so that they shadow nothing.
    sys.path.append(os.getcwd())


demo.register(app)
download.register(data.app)
check.register(data.app)
record.register(data.app)
universe.register(data.app)
refresh.register(data.app)
app.add_typer(data.app)
backtest.register(app)
sweep.register(app)
walkforward.register(app)
validate.register(app)
stress.register(app)
lookahead.register(app)
paper.register(app)
exchange.register(app)
app.add_typer(report.app)
app.add_typer(new.app)
app.add_typer(strategy.app)
app.add_typer(risk.app)
app.add_typer(features.app)
app.add_typer(metrics.app)
app.add_typer(trials.app)
app.add_typer(config.app)
doctor.register(app)
