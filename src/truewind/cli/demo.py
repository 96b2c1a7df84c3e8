"""`truewind demo`: the whole path with no download."""

import typer

from truewind.cli.output import Json


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: truewind demo")(demo)


def demo(json: Json = False) -> None:
    """A synthetic market, a backtest over it, a report.

    Needs no download. The market goes into the lake as venue `synthetic`; the report lies in the run's folder.
    """
    from truewind.cli import backtest, settings
    from truewind.cli.progress import progress
    from truewind.market.synthetic import SyntheticMarket
    from truewind.storage.lake import Lake

    with progress() as step:
        SyntheticMarket().write(Lake(settings.load().lake), step)
        result = backtest.execute("configs/demo.yaml", [], step)
    backtest.show(result, json)
